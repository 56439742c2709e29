import type { Service, Task } from '../model/index.ts';
import type { View } from '../store/index.ts';
import type { RestartHistory } from './restart/history.ts';
import { isWanted, placeOf, type PlaceKey } from './wanted.ts';

/** A service's tasks at their places; those that are to be removed are left out. */
export function byPlace(tasks: Iterable<Task>): Map<PlaceKey, Task[]> {
  const places = new Map<PlaceKey, Task[]>();
  for (const task of tasks) {
    if (task.desiredState === 'remove') continue;
    const key = placeOf(task);
    const there = places.get(key);
    if (there) there.push(task);
    else places.set(key, [task]);
  }
  return places;
}

/**
 * What fills a place: the tasks that are to run, or the newest one where it has ended and its restart policy gives it no
 * successor (it counts, and an update replaces it). Empty where the place is free. During a rollback only tasks that are to run
 * count, so that it always gets to a service that runs.
 */
export function fillingTasks(
  tasks: readonly Task[],
  service: Service,
  view: View,
  history: RestartHistory,
): Task[] {
  const wanted = tasks.filter(isWanted);
  if (wanted.length > 0 || service.updateStatus?.state === 'rollback_started') return wanted;
  const newest = tasks.reduce((a, b) => (b.meta.createdAtMs >= a.meta.createdAtMs ? b : a));
  return history.allows(view, newest) ? [] : [newest];
}
