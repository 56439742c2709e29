import type { Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { placeOf, type PlaceKey } from '../wanted.ts';
import { conditionAllows, maxAttempts, windowMs } from './policy.ts';

/** Of one place: which version's tasks are counted, and the restarts so far. */
interface Attempts {
  specVersion: number;
  total: number;
  /** When the last ones were (ms since 1970), where a window asks for it; oldest first. */
  readonly atMs: number[];
}

/** No window holds more restarts than this; far above what anybody can use. */
const MOST_MOMENTS = 1000;

/**
 * How often tasks were restarted in their places, for services that limit it. Nothing is kept for it: it is read off
 * the tasks that a service still has (the reaper leaves one more than there may be attempts) when first asked for,
 * and kept up to date from then on. A new version of the service starts at 0.
 */
export class RestartHistory {
  readonly #services = new Map<string, Map<PlaceKey, Attempts>>();

  /** Whether a task that ends gets a successor. */
  allows(view: View, task: Task): boolean {
    if (!conditionAllows(task)) return false;
    const most = maxAttempts(task);
    return most === 0 || this.#attempts(view, task) < most;
  }

  /** To be told of every task that is made. */
  note(task: Task): void {
    const places = this.#services.get(task.serviceId);
    if (places) count(places, task);
  }

  forget(serviceId: string): void {
    this.#services.delete(serviceId);
  }

  #attempts(view: View, task: Task): number {
    const record = this.#of(view, task.serviceId).get(placeOf(task));
    // A task of a former version: what came after it does not count against it.
    if (!record || record.specVersion !== task.specVersion) return 0;
    const window = windowMs(task);
    if (window === 0) return record.total;
    const endedMs = task.status.appliedAtMs || task.status.timestampMs;
    return record.atMs.filter((atMs) => atMs > endedMs - window && atMs <= endedMs).length;
  }

  #of(view: View, serviceId: string): Map<PlaceKey, Attempts> {
    const known = this.#services.get(serviceId);
    if (known) return known;
    const places = new Map<PlaceKey, Attempts>();
    const tasks = [...view.tasksOfService(serviceId)].sort(byAge);
    for (const task of tasks) count(places, task);
    this.#services.set(serviceId, places);
    return places;
  }
}

/** The oldest first. */
export function byAge(a: Task, b: Task): number {
  return a.meta.createdAtMs - b.meta.createdAtMs || a.meta.version - b.meta.version;
}

function count(places: Map<PlaceKey, Attempts>, task: Task): void {
  const place = placeOf(task);
  const record = places.get(place);
  if (record?.specVersion !== task.specVersion) {
    places.set(place, { specVersion: task.specVersion, total: 0, atMs: [] });
    return;
  }
  // Without a delay nothing failed: its node was lost, or an update took its place.
  if ((task.replaces?.delayMs ?? 0) === 0) return;
  record.total++;
  if (windowMs(task) === 0) return;
  record.atMs.push(task.meta.createdAtMs);
  if (record.atMs.length > MOST_MOMENTS) record.atMs.shift();
}
