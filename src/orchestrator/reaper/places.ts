import type { Task } from '../../model/index.ts';
import { placeOf, type PlaceKey } from '../wanted.ts';

/** Which tasks, former ones too, a service has in each of its places; so that one place can be looked at without the others. */
export class Places {
  readonly #services = new Map<string, Map<PlaceKey, string[]>>();

  /** Does nothing for a task that is known. */
  add(task: Task): void {
    let places = this.#services.get(task.serviceId);
    if (!places) this.#services.set(task.serviceId, (places = new Map<PlaceKey, string[]>()));
    const there = places.get(placeOf(task));
    if (!there) places.set(placeOf(task), [task.id]);
    else if (!there.includes(task.id)) there.push(task.id);
  }

  delete(task: Task): void {
    const places = this.#services.get(task.serviceId);
    const there = places?.get(placeOf(task));
    const at = there?.indexOf(task.id) ?? -1;
    if (!places || !there || at < 0) return;
    there.splice(at, 1);
    if (there.length === 0) places.delete(placeOf(task));
    if (places.size === 0) this.#services.delete(task.serviceId);
  }

  clear(): void {
    this.#services.clear();
  }

  services(): Iterable<string> {
    return this.#services.keys();
  }

  /** The places of a service that have more tasks than that. */
  crowded(serviceId: string, limit: number): PlaceKey[] {
    const places = this.#services.get(serviceId) ?? [];
    return [...places].flatMap(([place, there]) => (there.length > limit ? [place] : []));
  }

  tasksAt(serviceId: string, place: PlaceKey): readonly string[] {
    return this.#services.get(serviceId)?.get(place) ?? [];
  }
}
