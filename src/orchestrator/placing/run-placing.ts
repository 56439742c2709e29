import { Bell } from '../../base/bell.ts';
import type { Task } from '../../model/index.ts';
import type { LoopContext } from '../../store/index.ts';
import { applyRound } from './apply-round.ts';
import { EXPLAIN_AGAIN_MS, planRound } from './plan-round.ts';
import { type Now, PlacingState } from './placing-state.ts';

/** What changes within this time is placed in one round; longer where a round itself takes longer, up to the most. */
const GATHER_MS = 5;
const GATHER_MOST_MS = 1000;
/** After the store refused a round. */
const RETRY_MS = 1000;

export interface PlacingOptions {
  /** From 0 to below 1; Math.random when not given. */
  readonly random?: () => number;
}

/**
 * Gives tasks that are pending a node and the state assigned, or says in their status why there is none and tries again
 * when that may have changed. Tasks that came with a node are judged on that node only. Runs until the signal fires.
 */
export async function runPlacing(
  context: LoopContext,
  signal: AbortSignal,
  { random = Math.random }: PlacingOptions = {},
): Promise<void> {
  const { store, times, log } = context;
  const now = (): Now => ({ nowMs: times.nowMs(), wallMs: times.wallMs() });
  const bell = new Bell();
  const state = new PlacingState(store.view);
  const unwatch = store.watch((events) => {
    const nowMs = times.nowMs();
    for (const event of events) state.see(event, nowMs);
    if (state.isDue) bell.ring();
  });
  const onFault = onceEach((task, error) =>
    log.error({ serviceId: task.serviceId, taskId: task.id, err: error }, 'cannot place a task'),
  );
  let isReminded = false;

  /** Explanations that were held back are looked at later. */
  const remindLater = async (): Promise<void> => {
    if (isReminded) return;
    isReminded = true;
    await times.pause(EXPLAIN_AGAIN_MS, signal);
    isReminded = false;
    bell.ring();
  };

  let planMs = 0;

  const round = async (): Promise<void> => {
    const start = now();
    const decisions = planRound(state, store.view, { now: start, random, onFault });
    planMs = times.nowMs() - start.nowMs;
    if (decisions.length > 0) await applyRound(store, state, decisions, times.wallMs());
    for (const { said, explanation } of state.waiting.groups.values())
      if (said !== explanation) void remindLater();
    // What came back is in nobody's event.
    if (state.isDue) bell.ring();
  };

  try {
    state.load(now());
    do {
      try {
        await round();
        await bell.heard(signal);
        await times.pause(Math.min(GATHER_MOST_MS, Math.max(GATHER_MS, planMs)), signal);
      } catch (error) {
        log.error({ err: error }, 'the placements of tasks could not be written');
        state.waiting.lookAgain();
        await times.pause(RETRY_MS, signal);
      }
    } while (!signal.aborted);
  } finally {
    unwatch();
  }
}

/** Told once of each service. */
function onceEach(tell: (task: Task, error: unknown) => void): (task: Task, error: unknown) => void {
  const told = new Set<string>();
  return (task, error) => {
    const key = task.serviceId || task.id;
    if (told.has(key)) return;
    told.add(key);
    tell(task, error);
  };
}
