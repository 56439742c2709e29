import { Alarms } from '../base/alarms.ts';
import { backoffMs } from '../base/async.ts';
import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import type { LoopContext } from '../store/index.ts';
import { Inbox } from './inbox.ts';
import { Holds } from './restart/holds.ts';
import { RestartHistory } from './restart/history.ts';
import { Orchestrator, type AlarmKey } from './orchestrator.ts';

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

export interface OrchestratorOptions {
  readonly random?: () => number;
}

/**
 * Keeps replicated and global services at what they ask for: makes and stops tasks, restarts those that end, replaces those
 * whose node is lost, and carries out updates and rollbacks. All that it does follows from the store, so that it may
 * end at any moment and go on later. Runs until the signal fires.
 */
export async function runOrchestrator(
  context: LoopContext,
  signal: AbortSignal,
  { random = Math.random }: OrchestratorOptions = {},
): Promise<void> {
  const bell = new Bell();
  const alarms = new Alarms<AlarmKey>(context.times);
  const history = new RestartHistory();
  const holds = new Holds(context, (taskId, ms) => alarms.set(`task/${taskId}`, ms));
  const inbox = new Inbox(context, holds, history);
  const orchestrator = new Orchestrator(context, inbox, holds, history, alarms, () => bell.ring());
  const unwatch = context.store.watch((events) => {
    inbox.see(events);
    bell.ring();
  });
  const ringing = alarms.run(signal, (key) => orchestrator.alarm(key));
  try {
    inbox.lookAtEverything();
    let failures = 0;
    do {
      try {
        await orchestrator.turn();
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        context.log.error({ err: messageOf(error) }, 'the orchestrator could not write what it decided');
        await context.times.pause(backoffMs(failures++, FIRST_RETRY_MS, LAST_RETRY_MS, random), signal);
        inbox.lookAtEverything();
        bell.ring();
      }
    } while (await bell.heard(signal));
  } finally {
    unwatch();
    await ringing;
  }
}
