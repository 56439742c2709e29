import { setImmediate as nextTurn } from 'node:timers/promises';
import { SwarmError, messageOf } from '../base/errors.ts';
import type { Objects, Kind } from '../model/index.ts';
import { CommitPlan, noteTask } from './commit-plan.ts';
import type { Change } from './overlay.ts';
import { RowCodec } from './rows.ts';
import { Tables } from './tables.ts';
import {
  type Backend,
  type Listener,
  type RowWrite,
  type Store,
  type StoreEvent,
  type Tx,
  type View,
} from './types.ts';
import { BatchWork, UpdateWork, type Filled, type Work } from './work.ts';

/** After so many commits in one turn of the event loop others have their turn: connections, timers. */
const COMMITS_PER_TURN = 4;

export interface StoreOptions {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Told of a listener that threw. */
  readonly onFault: (error: unknown) => void;
}

/** Opens the state that a backend keeps. Rejects with `unavailable` when it can't be read. */
export async function openStore(backend: Backend, options: StoreOptions): Promise<Store> {
  try {
    const { revision, rows } = await backend.load();
    const codec = new RowCodec();
    const tables = new Tables();
    const { objects, litter } = codec.decodeAll(rows);
    for (const { kind, object } of objects) tables.put(kind, object);
    tables.revision = revision;
    return new WriteThroughStore(backend, tables, codec, litter, options);
  } catch (error) {
    const where = backend.where === undefined ? '' : ` '${backend.where}'`;
    throw new SwarmError('unavailable', `cannot read the state${where}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Updates wait in a queue; as many as fit are committed together. */
class WriteThroughStore implements Store {
  readonly view: View;
  readonly #tables: Tables;
  readonly #backend: Backend;
  readonly #codec: RowCodec;
  readonly #options: StoreOptions;
  readonly #listeners = new Set<Listener>();
  #queue: Work[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  /** Rows that nobody needs, removed with commits that have room. */
  readonly #litter: RowWrite[];
  #commitsOfTurn = 0;

  constructor(backend: Backend, tables: Tables, codec: RowCodec, litter: RowWrite[], options: StoreOptions) {
    this.#backend = backend;
    this.#tables = tables;
    this.#codec = codec;
    this.#litter = litter;
    this.#options = options;
    this.view = tables;
  }

  update<T>(change: (tx: Tx) => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#add(new UpdateWork(change, resolve, reject));
    return promise;
  }

  batch<T>(items: Iterable<T>, change: (tx: Tx, item: T) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#add(new BatchWork(items, change, resolve, reject));
    return promise;
  }

  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#backend.close();
  }

  #add(work: Work): void {
    if (this.#closed) return work.failed(new SwarmError('unavailable', 'the state is closed'));
    this.#queue.push(work);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // What else is asked for in this step of the event loop is committed with it.
    await Promise.resolve();
    try {
      while (this.#queue.length > 0) {
        if (this.#commitsOfTurn >= COMMITS_PER_TURN) await nextTurn();
        await this.#commitSome();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#running = undefined;
  }

  /** Memory may not be what is kept any more: nothing is written until the state is opened again. */
  #fail(error: unknown): void {
    this.#closed = true;
    const failure = new SwarmError('unavailable', `the state failed: ${messageOf(error)}`, { cause: error });
    for (const work of this.#queue.splice(0)) work.failed(failure);
    try {
      this.#options.onFault(failure);
    } catch {
      // Whoever is told may have been what failed.
    }
  }

  /** Commits the first of the queue, and with it what fits. */
  async #commitSome(): Promise<void> {
    if (this.#commitsOfTurn++ === 0) setImmediate(() => (this.#commitsOfTurn = 0));
    const plan = new CommitPlan(this.#tables, this.#codec, this.#options.nowMs());
    const taken = this.#fill(plan);
    if (!plan.isEmpty) {
      const revision = this.#tables.revision + 1;
      try {
        const lasting = this.#backend.commit(revision, plan.rows(this.#litter));
        if (lasting) await lasting;
      } catch (error) {
        const failure = notWritten(error);
        for (const { work } of taken) work.failed(failure);
        return;
      }
      try {
        this.#apply(revision, plan.changes());
      } catch (error) {
        for (const { work } of taken) work.failed(error);
        throw error;
      }
    }
    for (const { work, filled } of taken) {
      work.committed();
      // What has more goes behind those who came later.
      if (filled === 'part') this.#queue.push(work);
    }
  }

  /** Takes from the queue what goes into the next commit, wholly or in part. */
  #fill(plan: CommitPlan): { work: Work; filled: Filled }[] {
    const taken: { work: Work; filled: Filled }[] = [];
    for (const work of this.#queue) {
      const filled = work.fill(plan);
      if (filled !== 'nothing') taken.push({ work, filled });
      if (filled !== 'whole') break;
    }
    this.#queue.splice(0, taken.length);
    return taken;
  }

  #apply(revision: number, changes: Iterable<Change>): void {
    const events: StoreEvent[] = [];
    for (const change of changes) {
      const { kind, id, object, committed } = change;
      if (object) this.#tables.put(kind, object);
      else this.#tables.delete(kind, id);
      const event = eventOf(kind, object, committed);
      if (event) events.push(event);
      const litter = kind === 'task' ? noteTask(this.#codec, change) : undefined;
      if (litter) this.#litter.push(litter);
    }
    this.#tables.revision = revision;
    for (const listener of [...this.#listeners]) {
      try {
        listener(events);
      } catch (error) {
        this.#options.onFault(error);
      }
    }
  }
}

function notWritten(error: unknown): SwarmError {
  return new SwarmError('unavailable', `the state could not be written: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Undefined for what was made and removed in the same commit. */
function eventOf(
  kind: Kind,
  object: Objects[Kind] | null,
  previous: Objects[Kind] | undefined,
): StoreEvent | undefined {
  if (object && previous) return { kind, type: 'update', object, previous } as StoreEvent;
  if (object) return { kind, type: 'create', object } as StoreEvent;
  return previous && ({ kind, type: 'remove', object: previous } as StoreEvent);
}
