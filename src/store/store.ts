import { SwarmError, messageOf } from '../base/errors.ts';
import { Held } from './held.ts';
import { LockedError } from './seal/keyring.ts';
import { StateLock } from './seal/state-lock.ts';
import type { Backend, Listener, Store, Tx, View } from './types.ts';
import { WriteQueue, type StoreOptions } from './write-queue.ts';

/** Opens the state that a backend keeps. Rejects with a LockedError, and with `unavailable` when it can't be read. */
export async function openStore(backend: Backend, options: StoreOptions): Promise<Store> {
  try {
    const { revision, rows } = await backend.load();
    const held = new Held(options.onFault, options);
    held.fill(revision, rows);
    return new WriteThroughStore(backend, held, options);
  } catch (error) {
    throw notRead(backend.where, error);
  }
}

/** What whoever opens a state is told that can't be read. */
export function notRead(where: string | undefined, error: unknown): SwarmError {
  if (error instanceof LockedError) return error;
  const place = where === undefined ? '' : ` '${where}'`;
  return new SwarmError('unavailable', `cannot read the state${place}: ${messageOf(error)}`, {
    cause: error,
  });
}

/** A store that is had by this process alone. */
class WriteThroughStore implements Store {
  readonly view: View;
  readonly lock: StateLock;
  readonly #backend: Backend;
  readonly #held: Held;
  readonly #queue: WriteQueue;

  constructor(backend: Backend, held: Held, options: StoreOptions) {
    this.#backend = backend;
    this.#held = held;
    this.#queue = new WriteQueue(held, (revision, writes) => backend.commit(revision, writes), options);
    this.view = held.tables;
    this.lock = new StateLock({
      held,
      update: (change) => this.update(change),
      again: (rows) => this.#queue.again(rows),
      scrub: async () => backend.scrub?.(),
    });
  }

  update<T>(change: (tx: Tx) => T): Promise<T> {
    return this.#queue.update(change);
  }

  batch<T>(items: Iterable<T>, change: (tx: Tx, item: T) => void): Promise<void> {
    return this.#queue.batch(items, change);
  }

  watch(listener: Listener): () => void {
    return this.#held.watch(listener);
  }

  /** It was raised when it was opened. */
  get layout(): number {
    return this.#held.layout;
  }

  /** Nobody else writes. */
  async caughtUp(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    await this.#queue.finish(new SwarmError('unavailable', 'the state is closed'));
    await this.#backend.close();
  }
}
