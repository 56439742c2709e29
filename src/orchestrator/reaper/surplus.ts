import type { Service, Task } from '../../model/index.ts';
import { isOfThisRun } from '../jobs/places.ts';
import { isHistory } from './over.ts';
import { tellingTasks } from './telling.ts';

/**
 * Which of a place's tasks are too many. As in SwarmKit the limit is of all tasks that the place has, what runs included, and
 * those go first that ended first; below 0 nothing is too much.
 */
export function surplusTasks(tasks: readonly Task[], service: Service, limit: number): Task[] {
  if (limit < 0) return [];
  const staying = tasks.filter(({ desiredState }) => desiredState !== 'remove');
  const excess = staying.length - limit;
  if (excess <= 0) return [];
  const telling = tellingTasks(
    staying.filter((task) => isOfThisRun(task, service)),
    service,
  );
  return staying
    .filter((task) => isHistory(task, service) && !telling.has(task))
    .sort((a, b) => endMs(a) - endMs(b) || a.meta.createdAtMs - b.meta.createdAtMs)
    .slice(0, excess);
}

/** By the manager's clock, where it saw it. */
function endMs({ status }: Task): number {
  return status.appliedAtMs || status.timestampMs;
}
