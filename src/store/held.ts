import { KINDS, type Kind, type Objects, type Seal } from '../model/index.ts';
import { noteTask } from './commit-plan.ts';
import type { Change } from './overlay.ts';
import { LAYOUTS, type Layouts } from './layouts.ts';
import { isKind, RowCodec } from './rows.ts';
import { Keyring } from './seal/keyring.ts';
import { openedRows, sealedRows } from './seal/sealed-rows.ts';
import { Tables } from './tables.ts';
import type { Listener, Row, RowWrite, StoreEvent } from './types.ts';

/** The state in memory, and who is told of its changes. */
export class Held {
  readonly tables = new Tables();
  codec = new RowCodec();
  /** Rows that nobody needs, removed with commits that have room. */
  litter: RowWrite[] = [];
  /** What opens and seals the rows. */
  readonly keyring: Keyring;
  /** Those that are known here; in memory objects are of the newest. */
  readonly layouts: Layouts;
  /** The layout in which rows are kept. */
  layout: number;
  readonly #listeners = new Set<Listener>();
  readonly #onFault: (error: unknown) => void;

  constructor(
    onFault: (error: unknown) => void,
    { keyring = new Keyring(), layouts = LAYOUTS }: { keyring?: Keyring; layouts?: Layouts } = {},
  ) {
    this.#onFault = onFault;
    this.keyring = keyring;
    this.layouts = layouts;
    this.layout = layouts.newest;
  }

  /** Takes everything that is kept; before anybody looks. Throws a LockedError, and for rows that are damaged. */
  fill(revision: number, rows: Iterable<Row>, layout = this.layout): void {
    this.layout = layout;
    const { objects, litter } = this.codec.decodeAll(this.layouts.raised(openedRows(rows, this.keyring)));
    for (const { kind, object } of objects) this.tables.put(kind, object);
    this.tables.revision = revision;
    this.litter = litter;
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Makes one commit's changes what is read, and tells of them. */
  apply(revision: number, changes: Iterable<Change>): void {
    const events: StoreEvent[] = [];
    for (const change of changes) {
      const { kind, id, object, committed } = change;
      if (object) this.tables.put(kind, object);
      else this.tables.delete(kind, id);
      const event = eventOf(kind, object, committed);
      if (event) events.push(event);
      const litter = kind === 'task' ? noteTask(this.codec, change) : undefined;
      if (litter) this.litter.push(litter);
    }
    this.tables.revision = revision;
    if (events.length > 0) this.tell(events);
  }

  /** The rows of one commit as they are kept: as the seal wants them that is there when it is done. */
  sealed(rows: readonly RowWrite[], seal: Seal | undefined): readonly RowWrite[] {
    const kept = this.layouts.lowered(rows, this.layout);
    return sealedRows(kept, seal && seal.stage !== 'opening' ? this.keyring.dataKey(seal) : undefined);
  }

  /**
   * Takes one commit that another process made. Throws a LockedError, and for rows that are damaged; then nothing is taken. Rows
   * that were only sealed or opened change no object.
   */
  follow(revision: number, kept: readonly RowWrite[]): void {
    const [seal] = this.tables.all('seal');
    const writes = [...this.layouts.raised(openedRows(kept, this.keyring, seal))];
    const found = this.codec.decodeSome(writes, (id) => this.tables.get('service', id));
    const changes = found.flatMap(({ kind, id, object, shared }): Change[] => {
      const committed = this.tables.get(kind, id);
      if (object && committed?.meta.version === object.meta.version) return [];
      const row: RowWrite = { table: kind, id, json: null };
      const encoded = shared ? ({ row, bytes: 0, shared: true } as const) : { row, bytes: 0 };
      return [{ kind, id, object, committed, step: 0, encoded }];
    });
    this.apply(revision, changes);
    const gone = writes.filter(({ table, json }) => json === null && !isKind(table));
    if (gone.length > 0 && this.litter.length > 0)
      this.litter = this.litter.filter((row) => !gone.some(({ id }) => id === row.id));
  }

  /**
   * Takes everything that is kept in the place of what is held, and tells of the difference at once. An object of the same
   * version is the same, unless the state has gone back: a backup was restored. Throws a LockedError, and for rows that are
   * damaged; then nothing is taken.
   */
  replace(revision: number, rows: Iterable<Row>, layout = this.layout): void {
    const codec = new RowCodec();
    const raised = this.layouts.raised(openedRows(rows, this.keyring));
    const { objects, litter } = codec.decodeAll(raised, this.codec);
    this.layout = layout;
    const goesOn = revision >= this.tables.revision;
    const events: StoreEvent[] = [];
    const there = new Set<string>();
    for (const { kind, object } of objects) {
      there.add(`${kind}/${object.id}`);
      const previous = this.tables.get(kind, object.id);
      if (goesOn && previous?.meta.version === object.meta.version) continue;
      const event = eventOf(kind, object, previous);
      if (event) events.push(event);
    }
    const gone = KINDS.flatMap((kind) =>
      [...this.tables.all(kind)]
        .filter(({ id }) => !there.has(`${kind}/${id}`))
        .map((object) => ({ kind, type: 'remove', object }) as StoreEvent),
    );
    // What users name goes after them: tasks first.
    const all = [...gone.reverse(), ...events];
    for (const { kind, type, object } of all) {
      if (type === 'remove') this.tables.delete(kind, object.id);
      else this.tables.put(kind, object);
    }
    this.codec = codec;
    this.litter = litter;
    this.tables.revision = revision;
    if (all.length > 0) this.tell(all);
  }

  tell(events: readonly StoreEvent[]): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(events);
      } catch (error) {
        this.#onFault(error);
      }
    }
  }
}

/** Undefined for what was made and removed in the same commit. */
export function eventOf(
  kind: Kind,
  object: Objects[Kind] | null,
  previous: Objects[Kind] | undefined,
): StoreEvent | undefined {
  if (object && previous) return { kind, type: 'update', object, previous } as StoreEvent;
  if (object) return { kind, type: 'create', object } as StoreEvent;
  return previous && ({ kind, type: 'remove', object: previous } as StoreEvent);
}
