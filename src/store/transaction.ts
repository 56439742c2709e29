import { SwarmError } from '../base/errors.ts';
import type { Cluster, Kind, Meta, Objects, Service, Task } from '../model/index.ts';
import type { Change, Overlay } from './overlay.ts';
import { isNamed, nameOf, referencesOf, type Tables } from './tables.ts';
import type { Fresh, NamedKind, Tx } from './types.ts';

/** Updates under way: reads see their writes, and those of all that will be committed together with them. */
export class Transaction implements Tx {
  readonly #tables: Tables;
  readonly #overlay: Overlay;
  readonly #nowMs: number;
  #open = false;

  constructor(tables: Tables, overlay: Overlay, nowMs: number) {
    this.#tables = tables;
    this.#overlay = overlay;
    this.#nowMs = nowMs;
  }

  /** Whether it may be written with now: not by who kept it after its update. */
  set open(open: boolean) {
    this.#open = open;
  }

  get revision(): number {
    return this.#tables.revision;
  }

  get nextVersion(): number {
    return this.#tables.revision + 1;
  }

  cluster(): Cluster | undefined {
    for (const cluster of this.all('cluster')) return cluster;
    return undefined;
  }

  get<K extends Kind>(kind: K, id: string): Objects[K] | undefined {
    const change = this.#overlay.get(kind, id);
    return change ? ((change.object ?? undefined) as Objects[K] | undefined) : this.#tables.get(kind, id);
  }

  all<K extends Kind>(kind: K): Iterable<Objects[K]> {
    return this.#merged(kind, this.#tables.all(kind), () => true);
  }

  count(kind: Kind): number {
    let count = this.#tables.count(kind);
    for (const { object, committed } of this.#overlay.of(kind).values())
      count += (object ? 1 : 0) - (committed ? 1 : 0);
    return count;
  }

  byName<K extends NamedKind>(kind: K, name: string): Objects[K] | undefined {
    const holder = this.#overlay.holderOf(kind, name);
    if (holder !== 'committed') return holder.id === undefined ? undefined : this.get(kind, holder.id);
    const found = this.#tables.byName(kind, name);
    return found && this.get(kind, found.id);
  }

  tasksOfService(serviceId: string): Iterable<Task> {
    const base = this.#tables.tasksOfService(serviceId);
    return this.#merged('task', base, (task) => task.serviceId === serviceId);
  }

  tasksOfNode(nodeId: string): Iterable<Task> {
    return this.#merged('task', this.#tables.tasksOfNode(nodeId), (task) => task.nodeId === nodeId);
  }

  servicesUsing(kind: 'network' | 'secret' | 'config', id: string): Iterable<Service> {
    const key = `${kind}/${id}`;
    const base = this.#tables.servicesUsing(kind, id);
    return this.#merged('service', base, (service) => referencesOf(service).includes(key));
  }

  create<K extends Kind>(kind: K, object: Fresh<K>): Objects[K] {
    const { id } = object;
    const change = this.#overlay.get(kind, id);
    const committed = change ? undefined : this.#tables.get(kind, id);
    if (change?.object ?? committed) throw new SwarmError('conflict', `${kind} ${id} already exists`);
    const meta: Meta = { version: this.nextVersion, createdAtMs: this.#nowMs, updatedAtMs: this.#nowMs };
    const whole = { ...object, meta } as unknown as Objects[K];
    this.#checkName(kind, whole);
    this.#set(kind, id, whole, change, committed);
    return whole;
  }

  update<K extends Kind>(kind: K, object: Objects[K]): Objects[K] {
    const { id } = object;
    const change = this.#overlay.get(kind, id);
    const committed = change ? undefined : this.#tables.get(kind, id);
    const previous = change?.object ?? committed;
    if (!previous) throw new SwarmError('not-found', `${kind} ${id} not found`);
    const { createdAtMs } = previous.meta;
    const meta: Meta = { version: this.nextVersion, createdAtMs, updatedAtMs: this.#nowMs };
    const whole = { ...object, meta };
    this.#checkName(kind, whole);
    this.#set(kind, id, whole, change, committed);
    return whole;
  }

  remove(kind: Kind, id: string): boolean {
    const change = this.#overlay.get(kind, id);
    const committed = change ? undefined : this.#tables.get(kind, id);
    if (!(change?.object ?? committed)) return false;
    this.#set(kind, id, null, change, committed);
    return true;
  }

  #checkName<K extends Kind>(kind: K, object: Objects[K]): void {
    if (!isNamed(kind)) return;
    const name = nameOf(object as Objects[NamedKind]);
    const holder = this.byName(kind, name);
    if (holder && holder.id !== object.id)
      throw new SwarmError('conflict', `name conflicts with an existing object: ${kind} ${name}`);
  }

  #set(
    kind: Kind,
    id: string,
    object: Objects[Kind] | null,
    change: Change | undefined,
    committed: Objects[Kind] | undefined,
  ): void {
    if (!this.#open) throw new SwarmError('internal', 'an update wrote after its end');
    if (change) this.#overlay.replace(change, object);
    else this.#overlay.add(kind, id, object, committed);
  }

  /** What is there when the walk begins, each once, as it is when the walk gets to it: whoever walks may write. */
  *#merged<K extends Kind>(
    kind: K,
    base: Iterable<Objects[K]>,
    belongs: (object: Objects[K]) => boolean,
  ): Iterable<Objects[K]> {
    const changes = this.#overlay.of(kind);
    const before = new Set(changes.keys());
    for (const object of base) {
      if (before.has(object.id)) continue;
      const change = changes.get(object.id);
      const now = change ? (change.object as Objects[K] | null) : object;
      if (now && (!change || belongs(now))) yield now;
    }
    for (const id of before) {
      const now = this.get(kind, id);
      if (now && belongs(now)) yield now;
    }
  }
}
