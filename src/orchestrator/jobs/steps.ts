import { hasEnded, type Service, type Task } from '../../model/index.ts';
import type { Fresh, Tx } from '../../store/index.ts';
import type { Step } from '../apply.ts';
import type { RestartHistory } from '../restart/history.ts';
import { conditionAllows, restartDelayMs } from '../restart/policy.ts';
import { mustEndFirst } from '../restart/restart.ts';
import { newTask, type TaskPlace } from '../task.ts';
import { isUnfit, want } from '../wanted.ts';
import { isBroken, isJob, isOfThisRun, isOpen } from './places.ts';

export interface JobSteps {
  readonly history: RestartHistory;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Of a task that is held back: for how long still. */
  readonly heldMs: (taskId: string) => number | undefined;
}

/** A task in a free place; it waits for the end of the one before it, where that is still to end. */
export function createJobTask(
  service: Service,
  place: TaskPlace,
  former: Task | undefined,
  nowMs: number,
): Step {
  const change = (tx: Tx): void => {
    const now = tx.get('service', service.id);
    if (!now || now.job?.iteration !== service.job?.iteration) return;
    if ('nodeId' in place && isUnfit(tx.get('node', place.nodeId))) return;
    const old = former && tx.get('task', former.id);
    const waitsFor = old && mustEndFirst(tx, old) ? { taskId: old.id, delayMs: 0 } : undefined;
    tx.create('task', jobTask(tx, now, place, nowMs, waitsFor));
  };
  return { change, about: { service: service.id } };
}

function jobTask(
  tx: Tx,
  service: Service,
  place: TaskPlace,
  nowMs: number,
  replaces: Fresh<'task'>['replaces'],
): Fresh<'task'> {
  const made = newTask(tx.cluster(), service, place, nowMs);
  return replaces ? { ...made, desiredState: 'ready', replaces } : { ...made, desiredState: 'complete' };
}

/**
 * Gives a task that ended without completing, or whose node is lost, a successor, as far as the restart policy has one; the task
 * itself is told to stop. One that is held back and failed meanwhile waits for its turn: `dueNow` says that it came.
 */
export function restartJobTask(
  tx: Tx,
  id: string,
  { history, nowMs, heldMs }: JobSteps,
  dueNow = false,
): void {
  const task = tx.get('task', id);
  if (!task || !isOpen(task) || !isBroken(tx, task)) return;
  const service = tx.get('service', task.serviceId);
  if (!service || !isJob(service) || !isOfThisRun(task, service)) {
    want(tx, id, 'remove', nowMs());
    return;
  }
  const nodeLost = task.nodeId !== '' && isUnfit(tx.get('node', task.nodeId));
  const held = dueNow ? undefined : heldMs(id);
  if (held !== undefined && !nodeLost) return;
  const global = service.spec.mode.kind === 'global-job';
  const goesOn = nodeLost ? !global && conditionAllows(task) : history.allows(tx, task);
  if (goesOn) {
    const place = global ? { nodeId: task.nodeId } : { slot: task.slot };
    tx.create('task', jobTask(tx, service, place, nowMs(), successorOf(tx, task, nodeLost, held)));
  }
  want(tx, id, 'shutdown', nowMs());
}

/** What the successor of a task waits for. The loss of a node is no failure of the task: there is no delay. */
function successorOf(
  tx: Tx,
  task: Task,
  nodeLost: boolean,
  heldMs: number | undefined,
): Fresh<'task'>['replaces'] {
  // It never had its turn: its successor waits for what it waited for.
  if (heldMs !== undefined && task.replaces) return { taskId: task.replaces.taskId, delayMs: heldMs };
  if (!nodeLost) return { taskId: task.id, delayMs: restartDelayMs(task) };
  return mustEndFirst(tx, task) ? { taskId: task.id, delayMs: 0 } : undefined;
}

/** Lets a task run whose turn came; one that failed while it was held back is restarted instead. */
export function startJobTask(tx: Tx, id: string, steps: JobSteps): void {
  const task = tx.get('task', id);
  if (task?.desiredState !== 'ready') return;
  if (hasEnded(task.status.state)) restartJobTask(tx, id, steps, true);
  else tx.update('task', { ...task, desiredState: 'complete' });
}
