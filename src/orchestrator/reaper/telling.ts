import type { Service, Task } from '../../model/index.ts';
import { isOpen } from '../jobs/places.ts';
import { byAge } from '../restart/history.ts';
import { maxAttempts, windowMs } from '../restart/policy.ts';
import { isOver } from './over.ts';

/** No place keeps more for its restarts to be counted, however many its service allows. */
const MOST_ATTEMPTS = 1000;

/** Of the tasks of one place, those that still tell something which is written down nowhere else. */
export function tellingTasks(tasks: readonly Task[], service: Service): Set<Task> {
  const aged = [...tasks].sort(byAge);
  return new Set([...filling(aged), ...attempts(aged), ...updated(aged, service)]);
}

/** Where nothing is to run, the newest task says that the place is not free. */
function filling(aged: readonly Task[]): readonly Task[] {
  if (aged.some((task) => isOpen(task) || !isOver(task))) return [];
  const lastMs = aged.at(-1)?.meta.createdAtMs;
  return aged.filter(({ meta }) => meta.createdAtMs === lastMs);
}

/** The newest version's tasks off which its restarts are counted, and one before the first of them. */
function attempts(aged: readonly Task[]): readonly Task[] {
  const newest = aged.at(-1);
  const most = newest ? Math.min(maxAttempts(newest), MOST_ATTEMPTS) : 0;
  if (!newest || most === 0) return [];
  const window = windowMs(newest);
  const fromMs = window === 0 ? -Infinity : newest.meta.createdAtMs - window;
  const kept: Task[] = [];
  let first: Task | undefined;
  for (const task of aged.toReversed()) {
    if (task.specVersion !== newest.specVersion) break;
    first = task;
    if (kept.length === most || task.meta.createdAtMs < fromMs) break;
    if ((task.replaces?.delayMs ?? 0) > 0) kept.push(task);
  }
  return first ? [...kept, first] : kept;
}

/** While an update is under way: what it made in place of another version, and what that was. */
function updated(aged: readonly Task[], service: Service): readonly Task[] {
  if (!isUpdating(service)) return [];
  const byId = new Map(aged.map((task) => [task.id, task]));
  return aged.flatMap((task) => {
    const former = byId.get(task.replaces?.taskId ?? '');
    const isUpdates = task.specVersion === service.specVersion;
    return isUpdates && former && former.specVersion !== service.specVersion ? [task, former] : [];
  });
}

export function isUpdating({ updateStatus }: Service): boolean {
  return updateStatus?.state === 'updating' || updateStatus?.state === 'rollback_started';
}
