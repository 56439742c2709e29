import { stateRank, type Task } from '../../model/index.ts';
import { isReady } from '../../scheduler/index.ts';
import type { Store, Tx } from '../../store/index.ts';
import type { Assignment, Decision, Explanation } from './plan-round.ts';
import { isSameForPlacing, isWantedToRun, type PlacingState } from './placing-state.ts';

/**
 * Writes what a round decided. Each is checked again where it is written, for the task or its node may have changed: then the
 * task goes back to those that wait, as it is now. Rejects when the store does; what was not written goes back too.
 */
export async function applyRound(
  store: Store,
  state: PlacingState,
  decisions: readonly Decision[],
  wallMs: number,
): Promise<void> {
  try {
    await store.batch(decisions, (tx, decision) => {
      if (decision.kind === 'assign') assign(tx, decision);
      else explain(tx, decision, wallMs);
    });
  } finally {
    for (const decision of decisions) if (decision.kind === 'assign') settle(store, state, decision);
  }
}

function assign(tx: Tx, { task, node, placed }: Assignment): void {
  const current = tx.get('task', task.id);
  if (!current || !isStillTheSame(current, task) || !isWantedToRun(current)) return;
  const there = tx.get('node', placed.nodeId);
  if (!there || !isReady(there) || !isSameForPlacing(there, node)) return;
  const { nodeId, status, assignedGenericResources } = placed;
  tx.update('task', current === task ? placed : { ...current, nodeId, status, assignedGenericResources });
}

/** Whether it still waits, and asks for the same. */
function isStillTheSame(current: Task, task: Task): boolean {
  return (
    current === task ||
    (current.status.state === 'pending' &&
      current.nodeId === task.nodeId &&
      current.spec === task.spec &&
      current.endpoint === task.endpoint &&
      current.networks === task.networks)
  );
}

function explain(tx: Tx, { task, err }: Explanation, wallMs: number): void {
  const current = tx.get('task', task.id);
  if (current?.status.state !== 'pending' || current.nodeId !== task.nodeId) return;
  if (current.status.err === err || !isWantedToRun(current)) return;
  tx.update('task', { ...current, status: { ...current.status, err, timestampMs: wallMs } });
}

/** The task's booking stands when it was written; else it is taken back. */
function settle(store: Store, state: PlacingState, { task, placed }: Assignment): void {
  state.underWay.delete(task.id);
  const current = store.view.get('task', task.id);
  const written =
    current?.nodeId === placed.nodeId && stateRank(current.status.state) >= stateRank('assigned');
  if (!written) state.unbook(task.id, placed.nodeId);
  if (current && !written) state.seeTask(current);
}
