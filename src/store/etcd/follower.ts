import { Bell } from '../../base/bell.ts';
import { backoffMs } from '../../base/async.ts';
import { messageOf } from '../../base/errors.ts';
import type { Held } from '../held.ts';
import { LockedError } from '../seal/keyring.ts';
import type { EtcdClient } from './client.ts';
import { commitOf } from './commit-of.ts';
import type { Keys } from './keys.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';
import { CompactedError, watchRange, type Group } from './watch.ts';

const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [50, 2_000];

export interface FollowerOptions {
  /** Called with each new kind of trouble once, and with undefined when etcd answers again. */
  readonly onTrouble?: (message: string | undefined) => void;
  /** Called with each new reason why what is written can't be read. */
  readonly onStill?: (reason: string) => void;
  /** Asks whoever leads for the unlock key, where another manager has locked the state meanwhile. */
  readonly askUnlockKey?: (signal: AbortSignal) => Promise<Uint8Array>;
}

/** What was followed is no commit that goes on from what is held. */
class GapError extends Error {}

/** Keeps what is held the same as what etcd has: commit by commit, and read anew where commits can't be followed. */
export class Follower {
  readonly #client: EtcdClient;
  readonly #keys: Keys;
  readonly #held: Held;
  readonly #options: FollowerOptions;
  readonly #moved = new Bell();
  /** etcd's revision up to which everything is held. */
  #seen: bigint;
  /** etcd's revision of the last write of the state's revision. */
  #writtenAt: bigint;
  #heardMs: number;
  #trouble: string | undefined;
  #standstill: string | undefined;

  constructor(
    client: EtcdClient,
    keys: Keys,
    held: Held,
    { stored, etcdRevision }: Snapshot,
    options: FollowerOptions,
  ) {
    this.#client = client;
    this.#keys = keys;
    this.#held = held;
    this.#options = options;
    this.#seen = etcdRevision;
    this.#writtenAt = stored.writtenAt;
    this.#heardMs = client.clock.nowMs();
  }

  get writtenAt(): bigint {
    return this.#writtenAt;
  }

  /** Why what is written can't be read, and is not followed; undefined while it can. */
  get standstill(): string | undefined {
    return this.#standstill;
  }

  /** How long ago etcd last gave a sign of life. */
  get silentMs(): number {
    return this.#client.clock.nowMs() - this.#heardMs;
  }

  /** The state was written by this process, up to there. */
  wrote(writtenAt: bigint): void {
    this.#writtenAt = writtenAt;
    if (writtenAt > this.#seen) this.#seen = writtenAt;
    this.#heard();
  }

  /** Follows until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      try {
        const groups = watchRange(this.#client, this.#keys.state, {
          from: this.#seen + 1n,
          signal,
          onHeard: () => {
            failures = 0;
            this.#heard();
          },
        });
        for await (const group of groups) {
          if (signal.aborted) return;
          this.#take(group);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (await this.#readAnew(error, signal)) continue;
        const pauseMs = backoffMs(failures++, FIRST_PAUSE_MS, LAST_PAUSE_MS, this.#client.random);
        await this.#client.clock.pause(pauseMs, signal);
      }
    }
  }

  /** Resolves when what was written there is held; false when the signal fired first. */
  async reached(writtenAt: bigint, signal: AbortSignal): Promise<boolean> {
    while (this.#writtenAt < writtenAt) if (!(await this.#moved.heard(signal))) return false;
    return true;
  }

  /** Reads everything anew, and tells of the difference. */
  async read(signal: AbortSignal): Promise<void> {
    const { stored, etcdRevision, layout, rows } = await readSnapshot(
      this.#client,
      this.#keys,
      this.#held.layouts,
      signal,
    );
    this.#held.replace(stored.revision, rows, layout);
    this.#seen = etcdRevision;
    this.#writtenAt = stored.writtenAt;
    this.#standstill = undefined;
    this.#heard();
    this.#moved.ring();
  }

  #take(group: Group): void {
    const commit = commitOf(this.#keys, group);
    if (!commit) throw new GapError('something else than a commit was written to the state');
    const { stored, writes } = commit;
    const { revision } = this.#held.tables;
    // A writer that had no answer writes the revision again as it was.
    const isSeal = stored.revision === revision && writes.length === 0;
    if (!isSeal) {
      if (stored.revision !== revision + 1)
        throw new GapError(`revision ${stored.revision} was written after ${revision}`);
      this.#held.follow(stored.revision, writes);
    }
    this.#seen = group.revision;
    this.#writtenAt = stored.writtenAt;
    this.#moved.ring();
  }

  /** Whether it goes on at once: nothing is lost where a connection was. */
  async #readAnew(error: unknown, signal: AbortSignal): Promise<boolean> {
    if (isLostConnection(error)) {
      this.#say(messageOf(error));
      return false;
    }
    try {
      if (error instanceof LockedError && this.#options.askUnlockKey)
        this.#held.keyring.offer(await this.#options.askUnlockKey(signal));
      await this.read(signal);
      return true;
    } catch (failure) {
      this.#say(messageOf(failure));
      if (!isLostConnection(failure)) this.#stand(messageOf(failure));
      return false;
    }
  }

  #stand(reason: string): void {
    if (reason === this.#standstill) return;
    this.#standstill = reason;
    this.#options.onStill?.(reason);
  }

  #heard(): void {
    this.#heardMs = this.#client.clock.nowMs();
    this.#say(undefined);
  }

  #say(trouble: string | undefined): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#options.onTrouble?.(trouble);
  }
}

function isLostConnection(error: unknown): boolean {
  return error instanceof Error && 'outcome' in error && !(error instanceof CompactedError);
}
