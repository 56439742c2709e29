import { stateRank, type Node, type Service, type Task, type TaskState } from '../model/index.ts';
import type { Tx } from '../store/index.ts';

const RUNNING = stateRank('running');

/** Whether a task is to run, now or when its turn comes. */
export function isWanted(task: Task): boolean {
  return stateRank(task.desiredState) <= RUNNING;
}

/** Whether a node can't keep its tasks: it is gone, down, or to be emptied. A node that is unknown keeps them. */
export function isUnfit(node: Node | undefined): boolean {
  return node === undefined || node.status.state === 'down' || node.spec.availability === 'drain';
}

/** Whether a service's tasks are to run for ever: all but jobs. */
export function isLasting(service: Service): boolean {
  return service.spec.mode.kind === 'replicated' || service.spec.mode.kind === 'global';
}

/** What a service has one task for: a slot, or a node. */
export type PlaceKey = number | string;

export function placeOf(task: Task): PlaceKey {
  return task.slot > 0 ? task.slot : task.nodeId;
}

/**
 * Moves a task's desired state forward; false when it is there, or gone. A task that is to stop and that no agent knows
 * of yet has ended with that.
 */
export function want(tx: Tx, id: string, desiredState: TaskState, nowMs: number): boolean {
  const task = tx.get('task', id);
  if (!task || stateRank(task.desiredState) >= stateRank(desiredState)) return false;
  const unheard = stateRank(task.status.state) < stateRank('assigned');
  const status =
    unheard && stateRank(desiredState) > RUNNING
      ? {
          ...task.status,
          state: 'shutdown' as const,
          timestampMs: nowMs,
          appliedAtMs: nowMs,
          message: 'shutdown',
        }
      : task.status;
  tx.update('task', { ...task, desiredState, status });
  return true;
}
