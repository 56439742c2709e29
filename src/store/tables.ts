import type { Cluster, Kind, Objects, Service, Task } from '../model/index.ts';
import { KINDS } from '../model/index.ts';
import type { NamedKind, View } from './types.ts';

/** Where an object stands: indexes keep the place, so that a new version is put there once for all of them. */
interface Place<T> {
  object: T;
}

/** Objects by something that many of them may share. */
class Groups<T> {
  readonly #groups = new Map<string, Set<Place<T>>>();

  *of(key: string): Iterable<T> {
    for (const { object } of this.#groups.get(key) ?? []) yield object;
  }

  add(key: string, place: Place<T>): void {
    const group = this.#groups.get(key);
    if (group) group.add(place);
    else this.#groups.set(key, new Set([place]));
  }

  remove(key: string, place: Place<T>): void {
    const group = this.#groups.get(key);
    if (group?.delete(place) && group.size === 0) this.#groups.delete(key);
  }
}

export function isNamed(kind: Kind): kind is NamedKind {
  return kind === 'service' || kind === 'network' || kind === 'secret' || kind === 'config';
}

/** The name of an object of a kind whose names are unique. */
export function nameOf(object: Objects[NamedKind]): string {
  return object.spec.annotations.name;
}

/** What a service's spec names, as `kind/id`. */
export function referencesOf({ spec }: Service): string[] {
  const { container, networks } = spec.task;
  return [
    ...networks.map(({ target }) => `network/${target}`),
    ...(container?.secrets ?? []).map(({ id }) => `secret/${id}`),
    ...(container?.configs ?? []).map(({ id }) => `config/${id}`),
  ];
}

/** The committed state in memory, with its indexes; every change costs the same however much there is. */
export class Tables implements View {
  revision = 0;
  readonly #byId = Object.fromEntries(KINDS.map((kind) => [kind, new Map()])) as {
    [K in Kind]: Map<string, Place<Objects[K]>>;
  };
  readonly #names = new Map<string, string>();
  readonly #byService = new Groups<Task>();
  readonly #byNode = new Groups<Task>();
  readonly #users = new Groups<Service>();

  #table<K extends Kind>(kind: K): Map<string, Place<Objects[K]>> {
    return this.#byId[kind];
  }

  cluster(): Cluster | undefined {
    for (const { object } of this.#byId.cluster.values()) return object;
    return undefined;
  }

  get<K extends Kind>(kind: K, id: string): Objects[K] | undefined {
    return this.#table(kind).get(id)?.object;
  }

  *all<K extends Kind>(kind: K): Iterable<Objects[K]> {
    for (const { object } of this.#table(kind).values()) yield object;
  }

  count(kind: Kind): number {
    return this.#byId[kind].size;
  }

  byName<K extends NamedKind>(kind: K, name: string): Objects[K] | undefined {
    const id = this.#names.get(`${kind}/${name}`);
    return id === undefined ? undefined : this.get(kind, id);
  }

  tasksOfService(serviceId: string): Iterable<Task> {
    return this.#byService.of(serviceId);
  }

  tasksOfNode(nodeId: string): Iterable<Task> {
    return this.#byNode.of(nodeId);
  }

  servicesUsing(kind: 'network' | 'secret' | 'config', id: string): Iterable<Service> {
    return this.#users.of(`${kind}/${id}`);
  }

  /** Puts an object in the place of the one with its id, if any. */
  put<K extends Kind>(kind: K, object: Objects[K]): void {
    const table = this.#table(kind);
    let place = table.get(object.id);
    const previous = place?.object;
    if (place) place.object = object;
    else table.set(object.id, (place = { object }));
    if (kind === 'task') this.#indexTask(place as Place<Task>, previous as Task | undefined, object as Task);
    if (!isNamed(kind)) return;
    this.#indexName(kind, previous as Objects[NamedKind], object as Objects[NamedKind]);
    if (kind === 'service')
      this.#indexUser(place as Place<Service>, previous as Service | undefined, object as Service);
  }

  delete(kind: Kind, id: string): void {
    const place = this.#byId[kind].get(id);
    if (!place) return;
    this.#byId[kind].delete(id);
    if (kind === 'task') this.#indexTask(place as Place<Task>, place.object as Task, undefined);
    if (!isNamed(kind)) return;
    this.#indexName(kind, place.object as Objects[NamedKind], undefined);
    if (kind === 'service') this.#indexUser(place as Place<Service>, place.object as Service, undefined);
  }

  #indexTask(place: Place<Task>, previous: Task | undefined, next: Task | undefined): void {
    if (previous?.serviceId !== next?.serviceId) {
      if (previous) this.#byService.remove(previous.serviceId, place);
      if (next) this.#byService.add(next.serviceId, place);
    }
    const [from, to] = [previous?.nodeId ?? '', next?.nodeId ?? ''];
    if (from === to) return;
    if (from !== '') this.#byNode.remove(from, place);
    if (to !== '') this.#byNode.add(to, place);
  }

  #indexUser(place: Place<Service>, previous: Service | undefined, next: Service | undefined): void {
    if (previous?.spec.task === next?.spec.task) return;
    if (previous) for (const key of referencesOf(previous)) this.#users.remove(key, place);
    if (next) for (const key of referencesOf(next)) this.#users.add(key, place);
  }

  #indexName(
    kind: NamedKind,
    previous: Objects[NamedKind] | undefined,
    next: Objects[NamedKind] | undefined,
  ): void {
    if (previous) {
      const key = `${kind}/${nameOf(previous)}`;
      // Within one commit the name may have passed to another.
      if (this.#names.get(key) === previous.id) this.#names.delete(key);
    }
    if (next) this.#names.set(`${kind}/${nameOf(next)}`, next.id);
  }
}
