import { hasEnded, stateRank, type Service, type Task } from '../../model/index.ts';
import { isJob, isOfThisRun, isOpen } from '../jobs/places.ts';

/** Whether nothing will come of a task any more: it ended, or is told to before any agent heard of it. */
export function isOver(task: Task): boolean {
  const { state } = task.status;
  return hasEnded(state) || (stateRank(state) < stateRank('assigned') && !isOpen(task));
}

/**
 * Whether a task's row is to go, whatever the history may keep: it is told to, or has ended and belongs to no service. Such a
 * task is a container's place on a network, of which nobody asks for a history; SwarmKit keeps those that failed for ever.
 */
export function isToGo(task: Task): boolean {
  if (task.desiredState === 'remove') return isOver(task);
  return task.serviceId === '' && hasEnded(task.status.state);
}

/**
 * Whether a task is nothing but history. One that ended and is not told to stop yet is not: its place is about to get another, or it
 * is what a job has completed. Of a job's former runs nothing counts any more.
 */
export function isHistory(task: Task, service: Service | undefined): boolean {
  if (!isOver(task)) return false;
  if (!service || !isOfThisRun(task, service)) return true;
  return !isOpen(task) && !(isJob(service) && task.status.state === 'complete');
}
