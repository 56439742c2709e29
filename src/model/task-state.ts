/**
 * The life of a task, in order; SwarmKit's numbers on the wire are in the same order. A desired state is one of
 * `ready`, `running`, `complete` (jobs), `shutdown` and `remove`.
 */
export const TASK_STATES = [
  'new',
  'pending',
  'assigned',
  'accepted',
  'preparing',
  'ready',
  'starting',
  'running',
  'complete',
  'shutdown',
  'failed',
  'rejected',
  'remove',
  'orphaned',
] as const;

export type TaskState = (typeof TASK_STATES)[number];

const RANK: Readonly<Record<TaskState, number>> = Object.fromEntries(
  TASK_STATES.map((state, rank) => [state, rank]),
) as Record<TaskState, number>;

/** Where a state stands in a task's life, from 0. */
export function stateRank(state: TaskState): number {
  return RANK[state];
}

/** Whether a task in this state has ended, one way or another. */
export function hasEnded(state: TaskState): boolean {
  return RANK[state] > RANK.running;
}
