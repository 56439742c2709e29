import { orAborted } from '../../base/async.ts';
import { SwarmError } from '../../base/errors.ts';
import { Held } from '../held.ts';
import { reached } from '../reached.ts';
import { StateLock } from '../seal/state-lock.ts';
import { notRead } from '../store.ts';
import type { Listener, Store, Tx, View } from '../types.ts';
import { WriteQueue, type StoreOptions } from '../write-queue.ts';
import type { EtcdClient } from './client.ts';
import { EtcdError } from './etcd-error.ts';
import { FencedWriter, notLeading } from './fenced-writer.ts';
import { Follower, type FollowerOptions } from './follower.ts';
import { keysOf, type Keys } from './keys.ts';
import { LastWrite } from './last-write.ts';
import type { Term } from './lead.ts';
import { revisionOf } from './revision-value.ts';
import { readSnapshot } from './snapshot.ts';

export interface EtcdStoreOptions extends StoreOptions, FollowerOptions {
  readonly prefix: string;
  readonly clusterId: string;
  /** Has etcd keep nothing of what was overwritten; where it is nobody's to do, it is not done. */
  readonly scrub?: (signal: AbortSignal) => Promise<void>;
}

/**
 * The state of a swarm in an etcd that several managers share. It follows what others write; while a term goes on it writes itself,
 * and follows nobody.
 */
export interface EtcdStore extends Store {
  /** Whether `update` works now; otherwise it rejects with `no-manager`. */
  readonly isWriter: boolean;
  /** Why what is written can't be read any more, and is not followed; undefined while it can. */
  readonly standstill: string | undefined;
  /** How long ago etcd last gave a sign of life; what is read may be as old. */
  readonly silentMs: number;
  /**
   * Becomes the writer for a term, when everything is held that was written before it; follows again by itself when it ends. Rejects
   * with `no-manager` when it ends before that, and with `unavailable` when the state can't be read; the term has ended then.
   */
  lead(term: Term): Promise<void>;
  /**
   * Has the state be of the newest layout that is known here, from one commit on; who does not know it stands still then. Rejects as
   * `update` does.
   */
  raise(): Promise<void>;
}

/** A read of everything is not awaited for longer; the term ends first, if it ends. */
const OPEN_MS = 60_000;
/** Pause before etcd is asked again that did not answer. */
const RETRY_MS = 100;
/** Behind by so much, everything is read anew. */
const CATCH_UP_MS = 2_000;
/** Each of the two steps of `caughtUp`. */
const READ_MS = 1_000;
/** A follower that heard nothing for so long is cut off: nobody waits for it. It asks for a sign of life after half of this. */
const CUT_OFF_MS = 3_000;

/** Opens the state of a swarm, and begins to follow it. Rejects with `not-found`, with a LockedError, or with
 * `unavailable`. */
export async function openEtcdStore(client: EtcdClient, options: EtcdStoreOptions): Promise<EtcdStore> {
  const keys = keysOf(options.prefix, options.clusterId);
  const signal = AbortSignal.timeout(OPEN_MS);
  try {
    checkVersion((await client.status({ signal })).version);
    const held = new Held(options.onFault, options);
    const snapshot = await readSnapshot(client, keys, held.layouts, signal);
    held.fill(snapshot.stored.revision, snapshot.rows, snapshot.layout);
    return new FollowingStore(
      client,
      keys,
      held,
      new Follower(client, keys, held, snapshot, options),
      options,
    );
  } catch (error) {
    if (error instanceof SwarmError && error.code === 'not-found') throw error;
    throw notRead(client.where, error);
  }
}

/** Before 3.4, etcd tells of no progress when it is asked. */
function checkVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 3 || (major === 3 && minor < 4))
    throw new SwarmError('unsupported', `etcd ${version} is too old; 3.4 or newer is needed`);
}

/** What goes on at present. */
type Part =
  | { readonly kind: 'follows'; readonly stop: () => Promise<void> }
  | {
      readonly kind: 'writes';
      readonly term: Term;
      readonly queue: WriteQueue;
      readonly stop: (why: SwarmError) => Promise<void>;
    }
  | { readonly kind: 'between' }
  | { readonly kind: 'closed' };

class FollowingStore implements EtcdStore {
  readonly view: View;
  readonly lock: StateLock;
  readonly #client: EtcdClient;
  readonly #keys: Keys;
  readonly #held: Held;
  readonly #follower: Follower;
  readonly #lastWrite: LastWrite;
  readonly #options: EtcdStoreOptions;
  readonly #closing = new AbortController();
  #part: Part = { kind: 'between' };
  /** One change of part after the other. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(client: EtcdClient, keys: Keys, held: Held, follower: Follower, options: EtcdStoreOptions) {
    this.#client = client;
    this.#keys = keys;
    this.#held = held;
    this.#follower = follower;
    this.#lastWrite = new LastWrite(client, keys);
    this.#options = options;
    this.view = held.tables;
    this.lock = new StateLock({
      held,
      update: (change) => this.update(change),
      again: (rows) =>
        this.#part.kind === 'writes' ? this.#part.queue.again(rows) : Promise.reject(this.#refusal()),
      // What etcd remembers of before is for whoever keeps it to remove.
      scrub: () => options.scrub?.(this.#closing.signal) ?? Promise.resolve(),
    });
    this.#follow();
  }

  get layout(): number {
    return this.#held.layout;
  }

  get isWriter(): boolean {
    return this.#part.kind === 'writes';
  }

  get standstill(): string | undefined {
    return this.isWriter ? undefined : this.#follower.standstill;
  }

  get silentMs(): number {
    // A term ends without signs of life.
    return this.isWriter ? 0 : this.#follower.silentMs;
  }

  update<T>(change: (tx: Tx) => T): Promise<T> {
    return this.#part.kind === 'writes' ? this.#part.queue.update(change) : Promise.reject(this.#refusal());
  }

  batch<T>(items: Iterable<T>, change: (tx: Tx, item: T) => void): Promise<void> {
    return this.#part.kind === 'writes'
      ? this.#part.queue.batch(items, change)
      : Promise.reject(this.#refusal());
  }

  watch(listener: Listener): () => void {
    return this.#held.watch(listener);
  }

  async caughtUp(signal: AbortSignal): Promise<boolean> {
    // Who was stopped for a while leads no more before it hears of it.
    if (this.#part.kind === 'writes' && this.#part.term.leads()) return true;
    if (this.#closing.signal.aborted || this.silentMs > CUT_OFF_MS || this.standstill !== undefined)
      return false;
    try {
      const revision = await orAborted(this.#lastWrite.ask(READ_MS), signal);
      const over = AbortSignal.any([signal, this.#closing.signal, AbortSignal.timeout(READ_MS)]);
      await reached(this, revision, over);
      return this.view.revision >= revision;
    } catch {
      return false; // what is held is as good as it gets
    }
  }

  async lead(term: Term): Promise<void> {
    for (;;) {
      try {
        return await this.#change(() => this.#lead(term));
      } catch (error) {
        if (!(error instanceof EtcdError && term.leads())) {
          // Who can't write must not keep others from it.
          term.abandon();
          throw error;
        }
        await this.#client.clock.pause(RETRY_MS, term.signal);
      }
    }
  }

  async raise(): Promise<void> {
    const { tables, codec, layouts } = this.#held;
    if (this.#part.kind !== 'writes') throw this.#refusal();
    // The next commit says so, whosever it is.
    this.#held.layout = layouts.newest;
    await this.#part.queue.again([
      () => {
        const cluster = tables.cluster();
        return cluster && codec.rowAgain('cluster', cluster);
      },
    ]);
  }

  async close(): Promise<void> {
    const part = this.#part;
    this.#closing.abort();
    const closed = new SwarmError('unavailable', 'the state is closed');
    // What waits is written, as long as the term lasts.
    if (part.kind === 'writes') await part.queue.finish(closed);
    await this.#change(async () => {
      if (this.#part.kind === 'follows' || this.#part.kind === 'writes') await this.#part.stop(closed);
      this.#part = { kind: 'closed' };
    });
  }

  #refusal(): SwarmError {
    return this.#closing.signal.aborted ? new SwarmError('unavailable', 'the state is closed') : notLeading();
  }

  #change(how: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(how);
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  #follow(): void {
    const over = new AbortController();
    const running = this.#follower.run(over.signal).catch((error: unknown) => this.#options.onFault(error));
    this.#part = {
      kind: 'follows',
      stop: async () => {
        over.abort();
        await running;
      },
    };
  }

  async #lead(term: Term): Promise<void> {
    const signal = AbortSignal.any([term.signal, this.#closing.signal]);
    if (signal.aborted || this.#part.kind !== 'follows') throw this.#refusal();
    // Nobody writes any more but this term: what is there now is the last that others wrote.
    const { kvs } = await this.#client.range({ key: this.#keys.revision }, { signal });
    const last = revisionOf(kvs[0]);
    if (!last)
      throw new SwarmError('unavailable', `the state of the swarm is gone from ${this.#client.where}`);
    const caughtUp = await this.#follower.reached(
      last.writtenAt,
      AbortSignal.any([signal, AbortSignal.timeout(CATCH_UP_MS)]),
    );
    await this.#part.stop();
    this.#part = { kind: 'between' };
    try {
      if (!caughtUp) await this.#follower.read(signal);
      if (!term.leads()) throw this.#refusal();
      this.#write(term);
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#follow();
      throw error;
    }
  }

  #write(term: Term): void {
    const writer = new FencedWriter(this.#client, this.#keys, term, {
      writtenAt: this.#follower.writtenAt,
      layout: this.#held.layout,
    });
    const queue = new WriteQueue(
      this.#held,
      (revision, writes) => writer.commit(revision, writes, this.#held.layout),
      this.#options,
      () => {
        // Another manager writes better than one whose memory is not to be trusted.
        this.#closing.abort();
        term.abandon();
      },
    );
    const stop = async (why: SwarmError): Promise<void> => {
      term.signal.removeEventListener('abort', ended);
      await queue.abandon(why);
      this.#follower.wrote(writer.writtenAt);
      this.#held.layout = writer.layout;
    };
    const ended = (): void => {
      void this.#change(async () => {
        if (this.#part !== part) return;
        this.#part = { kind: 'between' };
        await stop(notLeading());
        if (!this.#closing.signal.aborted) this.#follow();
      });
    };
    const part: Part = { kind: 'writes', term, queue, stop };
    this.#part = part;
    term.signal.addEventListener('abort', ended, { once: true });
  }
}
