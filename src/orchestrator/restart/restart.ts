import { hasEnded, stateRank, type Node, type Service, type Task } from '../../model/index.ts';
import type { Fresh, Tx } from '../../store/index.ts';
import { newTask } from '../task.ts';
import { isLasting, isUnfit, isWanted, want } from '../wanted.ts';
import type { RestartHistory } from './history.ts';
import { conditionAllows, restartDelayMs } from './policy.ts';

export interface RestartContext {
  readonly history: RestartHistory;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Of a task that is held back: for how long still. */
  readonly heldMs: (taskId: string) => number | undefined;
  /** Whether a global service has a task on that node, and may get a new one now. */
  readonly takesGlobal: (service: Service, node: Node) => boolean;
}

/**
 * Gives a task that ended, or whose node is lost, a successor, as far as the service's restart policy has one; the task
 * itself is told to stop. Does nothing where neither is the case any more. A task that is held back and failed
 * meanwhile waits for its turn: `dueNow` says that it came.
 */
export function restartTask(tx: Tx, id: string, context: RestartContext, dueNow = false): void {
  const task = tx.get('task', id);
  if (!task || !isWanted(task)) return;
  const service = tx.get('service', task.serviceId);
  const nowMs = context.nowMs();
  if (!service) {
    want(tx, id, 'remove', nowMs);
    return;
  }
  if (!isLasting(service)) return;
  const node = task.nodeId === '' ? undefined : tx.get('node', task.nodeId);
  const nodeLost = task.nodeId !== '' && isUnfit(node);
  const ended = hasEnded(task.status.state);
  if (!ended && !nodeLost) return;
  const heldMs = dueNow ? undefined : context.heldMs(id);
  if (heldMs !== undefined && !nodeLost) return;

  const global = service.spec.mode.kind === 'global';
  const noPlace = global && (nodeLost || !node || !context.takesGlobal(service, node));
  const goesOn = nodeLost ? conditionAllows(task) : context.history.allows(tx, task);
  if (!noPlace && goesOn) {
    const place = global ? { nodeId: task.nodeId } : { slot: task.slot };
    const made = newTask(tx.cluster(), service, place, nowMs);
    tx.create('task', { ...made, ...heldBack(tx, task, nodeLost ? 0 : restartDelayMs(task), heldMs) });
  }
  want(tx, id, 'shutdown', nowMs);
}

/** Lets a task run whose turn came; one that failed while it was held back is restarted instead. */
export function startTask(tx: Tx, id: string, context: RestartContext): void {
  const task = tx.get('task', id);
  if (task?.desiredState !== 'ready') return;
  if (hasEnded(task.status.state) || !tx.get('service', task.serviceId)) restartTask(tx, id, context, true);
  else want(tx, id, 'running', context.nowMs());
}

/** What the successor of a task waits for. The node's loss is no failure of the task: nothing but its end is waited for. */
function heldBack(
  tx: Tx,
  task: Task,
  delayMs: number,
  heldMs: number | undefined,
): Pick<Fresh<'task'>, 'desiredState' | 'replaces'> {
  // It never had its turn: its successor waits for what it waited for.
  if (heldMs !== undefined && task.replaces)
    return { desiredState: 'ready', replaces: { taskId: task.replaces.taskId, delayMs: heldMs } };
  const waits = delayMs > 0 || mustEndFirst(tx, task);
  return { desiredState: waits ? 'ready' : 'running', replaces: { taskId: task.id, delayMs } };
}

/** Whether a task may still run somewhere, and its end be heard of. */
export function mustEndFirst(view: Pick<Tx, 'get'>, task: Task): boolean {
  const { state } = task.status;
  if (hasEnded(state) || stateRank(state) < stateRank('assigned')) return false;
  const node = view.get('node', task.nodeId);
  return node !== undefined && node.status.state !== 'down';
}
