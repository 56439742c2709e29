import type { Config, Kind, Objects, Secret, Service, Task, TaskSpec } from '../model/index.ts';
import { KINDS } from '../model/index.ts';
import type { Row, RowWrite } from './types.ts';

/** The table of specs that several tasks share, so that a task's row is small and its spec in memory once. */
const SPECS = 'task-spec';
/** New shared specs that one commit may bring; the tasks of others carry theirs. */
const MOST_NEW_SPECS = 16;

const specKey = (of: { readonly serviceId: string; readonly specVersion: number }): string =>
  `${of.serviceId}.${of.specVersion}`;

interface SharedSpec {
  readonly spec: TaskSpec;
  users: number;
}

/** A spec that a commit writes a row for. */
export interface NewSpec {
  readonly spec: TaskSpec;
  readonly row: Row;
  readonly bytes: number;
}

/** One object as it is written. */
export interface Encoded {
  readonly row: RowWrite;
  /** Of the row and its payload. */
  readonly bytes: number;
  /** A task's row that only names its spec. */
  readonly shared?: true;
  /** The spec that has to be written with it. */
  readonly newSpec?: NewSpec;
}

/** The specs that one commit brings. */
export class NewSpecs {
  readonly #byKey = new Map<string, NewSpec>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** The spec under this key, made when it is not there; undefined when another is, or there are too many. */
  get(key: string, spec: TaskSpec): NewSpec | undefined {
    const known = this.#byKey.get(key);
    if (known) return known.spec === spec ? known : undefined;
    if (this.#byKey.size >= MOST_NEW_SPECS) return undefined;
    const json = JSON.stringify(spec);
    const made: NewSpec = { spec, row: { table: SPECS, id: key, json }, bytes: Buffer.byteLength(json) };
    this.#byKey.set(key, made);
    this.#bytes += made.bytes;
    return made;
  }
}

/**
 * Objects as rows and back. A task's row names its spec where other tasks of its service and version have the same
 * one; the bytes of secrets and configs are payloads.
 */
export class RowCodec {
  /** The specs that have a row, and how many tasks name each. */
  readonly #specs = new Map<string, SharedSpec>();
  /** The few tasks of services whose rows carry their spec. */
  readonly #alone = new Set<string>();

  /** The row that a change writes. */
  encode(kind: Kind, id: string, object: Objects[Kind] | null, newSpecs: NewSpecs): Encoded {
    if (object === null) return { row: { table: kind, id, json: null }, bytes: 0 };
    if (kind === 'task') return this.#encodeTask(object as Task, newSpecs);
    if (kind === 'secret' || kind === 'config') {
      const { spec, ...rest } = object as Secret | Config;
      const { data, ...bare } = spec;
      return encoded(kind, id, JSON.stringify({ ...rest, spec: bare }), data);
    }
    return encoded(kind, id, JSON.stringify(object));
  }

  /** The row that keeps an object already, to be written once more as it is. */
  rowAgain(kind: Kind, object: Objects[Kind]): RowWrite {
    const known = kind === 'task' ? this.#specs.get(specKey(object as Task)) : undefined;
    if (known && known.spec === (object as Task).spec)
      return { table: kind, id: object.id, json: JSON.stringify({ ...object, spec: undefined }) };
    // A task that shares no spec brings none.
    return this.encode(kind, object.id, object, new NewSpecs()).row;
  }

  /** The keys of the specs that have a row. */
  specKeys(): string[] {
    return [...this.#specs.keys()];
  }

  /** The row of a spec, to be written once more; undefined where it has none any more. */
  specAgain(key: string): Row | undefined {
    const known = this.#specs.get(key);
    return known && { table: SPECS, id: key, json: JSON.stringify(known.spec) };
  }

  #encodeTask(task: Task, newSpecs: NewSpecs): Encoded {
    const key = specKey(task);
    const known = this.#specs.get(key);
    const newSpec = known || task.serviceId === '' ? undefined : newSpecs.get(key, task.spec);
    if (known?.spec !== task.spec && !newSpec) return encoded('task', task.id, JSON.stringify(task));
    const { row, bytes } = encoded('task', task.id, JSON.stringify({ ...task, spec: undefined }));
    return newSpec ? { row, bytes, shared: true, newSpec } : { row, bytes, shared: true };
  }

  /**
   * Notes what was committed of a task, and returns the row of a spec that nobody names any more: it is removed with a
   * later commit, and one that is left behind by a kill is found when the state is opened.
   */
  applied(
    id: string,
    previous: Task | undefined,
    next: Task | undefined,
    shared: boolean,
  ): RowWrite | undefined {
    const was = previous && previous.serviceId !== '' && !this.#alone.has(id) ? previous : undefined;
    const is = shared ? next : undefined;
    if (next && !shared && next.serviceId !== '') this.#alone.add(id);
    else this.#alone.delete(id);
    if (was && is && was.spec === is.spec && specKey(was) === specKey(is)) return undefined;
    if (is) this.#use(specKey(is), is.spec);
    return was && this.#release(specKey(was));
  }

  #use(key: string, spec: TaskSpec): void {
    const known = this.#specs.get(key);
    if (known) known.users++;
    else this.#specs.set(key, { spec, users: 1 });
  }

  #release(key: string): RowWrite | undefined {
    const known = this.#specs.get(key);
    if (!known || --known.users > 0) return undefined;
    this.#specs.delete(key);
    return { table: SPECS, id: key, json: null };
  }

  /** Whether a row that was to be removed is still not needed: its spec may have come back. */
  isLitter(row: RowWrite): boolean {
    return !this.#specs.has(row.id);
  }

  /**
   * All objects of all rows, and the rows that nobody needs. Throws for rows that are damaged. Specs that say what one of
   * `former` does are the same objects as there.
   */
  decodeAll(
    rows: Iterable<Row>,
    former?: RowCodec,
  ): { objects: { kind: Kind; object: Objects[Kind] }[]; litter: RowWrite[] } {
    const objects: { kind: Kind; object: Objects[Kind] }[] = [];
    const specs = new Map<string, { readonly json: string; readonly spec: TaskSpec }>();
    const tasks: Task[] = [];
    const services: Service[] = [];
    for (const row of rows) {
      const { table, id, json } = row;
      if (table === SPECS) {
        specs.set(id, { json, spec: (former && former.#sameSpec(id, json)) ?? (parsed(row) as TaskSpec) });
        continue;
      }
      const found = objectOf(row);
      if (found?.kind === 'task') tasks.push(found.object as Task);
      else if (found?.kind === 'service') services.push(found.object as Service);
      else if (found) objects.push(found);
    }
    for (const service of services) objects.push({ kind: 'service', object: withSharedSpec(service, specs) });
    for (const task of tasks) {
      const { whole, shared } = withSpec(task, specs.get(specKey(task))?.spec);
      this.applied(task.id, undefined, whole, shared);
      objects.push({ kind: 'task', object: whole });
    }
    const litter = [...specs.keys()].filter((key) => !this.#specs.has(key));
    return { objects, litter: litter.map((id) => ({ table: SPECS, id, json: null })) };
  }

  /**
   * The objects of one commit that another process made, in its order; null for what it removed. `serviceOf` gives
   * services as they were before. Throws for rows that are damaged.
   */
  decodeSome(
    writes: readonly RowWrite[],
    serviceOf: (id: string) => Service | undefined,
  ): { kind: Kind; id: string; object: Objects[Kind] | null; shared: boolean }[] {
    const found = writes.map((row) => (row.json === null || row.table === SPECS ? undefined : objectOf(row)));
    const services = new Map<string, Service>();
    for (const one of found) {
      if (one?.kind !== 'service') continue;
      const service = one.object as Service;
      const known = this.#specs.get(specKey({ serviceId: service.id, specVersion: service.specVersion }));
      services.set(service.id, known ? withSameSpec(service, known.spec) : service);
    }
    const specs = new Map<string, TaskSpec>();
    for (const row of writes) {
      if (row.table !== SPECS || row.json === null) continue;
      const serviceId = row.id.slice(0, row.id.lastIndexOf('.'));
      const own = (services.get(serviceId) ?? serviceOf(serviceId))?.spec.task;
      const isOwn = own !== undefined && JSON.stringify(own) === row.json;
      specs.set(row.id, this.#sameSpec(row.id, row.json) ?? (isOwn ? own : (parsed(row) as TaskSpec)));
    }
    const changes: { kind: Kind; id: string; object: Objects[Kind] | null; shared: boolean }[] = [];
    for (const [index, { table, id, json }] of writes.entries()) {
      if (!isKind(table)) continue;
      const object = found[index]?.object ?? null;
      if (json === null) changes.push({ kind: table, id, object: null, shared: false });
      else if (table === 'task') {
        const key = specKey(object as Task);
        const { whole, shared } = withSpec(object as Task, specs.get(key) ?? this.#specs.get(key)?.spec);
        changes.push({ kind: table, id, object: whole, shared });
      } else changes.push({ kind: table, id, object: services.get(id) ?? object, shared: false });
    }
    return changes;
  }

  /** The spec under a key, where it says the same. */
  #sameSpec(key: string, json: string): TaskSpec | undefined {
    const known = this.#specs.get(key)?.spec;
    return known && JSON.stringify(known) === json ? known : undefined;
  }
}

/** The object of a row, without the spec that a task's only names; undefined for a table that is not known. */
function objectOf(row: Row): { kind: Kind; object: Objects[Kind] } | undefined {
  const { table, id, payload } = row;
  const value = parsed(row);
  if ((value as { id?: unknown }).id !== id) throw new Error(`the row ${table}/${id} holds another`);
  if (!isKind(table)) return undefined;
  if (table !== 'secret' && table !== 'config') return { kind: table, object: value as Objects[Kind] };
  const object = value as Secret | Config;
  const spec = { ...object.spec, data: payload ?? new Uint8Array() };
  return { kind: table, object: { ...object, spec } };
}

function withSpec(task: Task, shared: TaskSpec | undefined): { whole: Task; shared: boolean } {
  const own = (task as Partial<Task>).spec;
  const spec = own ?? shared;
  if (!spec) throw new Error(`task ${task.id} names a spec that is not there`);
  return { whole: { ...task, spec }, shared: own === undefined };
}

function withSameSpec(service: Service, shared: TaskSpec): Service {
  if (JSON.stringify(shared) !== JSON.stringify(service.spec.task)) return service;
  return { ...service, spec: { ...service.spec, task: shared } };
}

/** A service whose own spec is the very one that its tasks share, as it was before it was written. */
function withSharedSpec(
  service: Service,
  specs: ReadonlyMap<string, { readonly json: string; readonly spec: TaskSpec }>,
): Service {
  const shared = specs.get(specKey({ serviceId: service.id, specVersion: service.specVersion }));
  if (!shared || shared.json !== JSON.stringify(service.spec.task)) return service;
  return { ...service, spec: { ...service.spec, task: shared.spec } };
}

function encoded(table: Kind, id: string, json: string, payload?: Uint8Array): Encoded {
  const bytes = Buffer.byteLength(json) + (payload?.byteLength ?? 0);
  return { row: payload ? { table, id, json, payload } : { table, id, json }, bytes };
}

/** The JSON of a row. Throws where it is damaged. */
export function parsed({ table, id, json }: RowWrite): object {
  try {
    const value: unknown = JSON.parse(json ?? '');
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below, without the text: it may hold a key.
  }
  throw new Error(`the row ${table}/${id} is damaged`);
}

/** Whether rows of a table are known here. */
export function isOurs(table: string): boolean {
  return table === SPECS || isKind(table);
}

export function isKind(table: string): table is Kind {
  return (KINDS as readonly string[]).includes(table);
}
