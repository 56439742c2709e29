import { Alarms } from '../../base/alarms.ts';
import { Bell } from '../../base/bell.ts';
import type { LoopContext } from '../../store/index.ts';
import { Holds } from '../restart/holds.ts';
import { RestartHistory } from '../restart/history.ts';
import { runTurns } from '../turns.ts';
import { Jobs } from './jobs.ts';

/**
 * Runs jobs: replicated ones until so many tasks have completed, so many at a time; global ones once on each node that is there.
 * A new spec is a new run. All that it does follows from the store. Runs until the signal fires.
 */
export async function runJobs(context: LoopContext, signal: AbortSignal): Promise<void> {
  const bell = new Bell();
  const alarms = new Alarms<string>(context.times);
  const holds = new Holds(context, (taskId, ms) => alarms.set(taskId, ms));
  const jobs = new Jobs(context, holds, new RestartHistory(), signal);
  const unwatch = context.store.watch((events) => {
    jobs.see(events);
    if (jobs.hasWork || holds.size > 0) bell.ring();
  });
  const ringing = alarms.run(signal, (taskId) => {
    holds.wake(taskId);
    bell.ring();
  });
  try {
    await runTurns(context, jobs, bell, signal);
  } finally {
    unwatch();
    await ringing;
  }
}
