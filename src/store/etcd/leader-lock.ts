import { Compare_CompareTarget as Target, type KeyValue } from '../../../proto/generated/etcd/rpc_pb.js';
import type { Acquired, Lock } from '../../base/lock.ts';
import type { Asked, EtcdClient } from './client.ts';
import { EtcdError } from './etcd-error.ts';
import type { Keys } from './keys.ts';
import { watchRange } from './watch.ts';

type Signalled = { readonly signal: AbortSignal };

/** What etcd's key says of who leads: by these two every write is fenced. */
export interface Fence {
  /** etcd's revision of the key's creation: no other term has the same. */
  readonly createRevision: bigint;
  readonly lease: bigint;
}

export interface LeaderLockOptions {
  /** What others read while it is held. */
  readonly value: string;
  /** In whole seconds; etcd's default election timeout allows no less than two. */
  readonly ttlMs: number;
  /** Of one question. */
  readonly deadlineMs: number;
}

/** The holder's value where there is none, and this one does not want to be it. */
export const NOBODY = '';

/**
 * The leader's key, under a lease. The lease tells who holds it, also where an answer was lost; it is remembered before
 * the key is written, so that whatever was written can be found again or given up.
 */
export class LeaderLock implements Lock {
  readonly #client: EtcdClient;
  readonly #key: Uint8Array;
  readonly #options: LeaderLockOptions;
  #lease: bigint | undefined;
  #fence: Fence | undefined;
  #givenUp = false;
  #backUntilMs = -Infinity;

  constructor(client: EtcdClient, keys: Keys, options: LeaderLockOptions) {
    this.#client = client;
    this.#key = keys.leader;
    this.#options = options;
  }

  /** Of the last time that it was acquired. */
  get fence(): Fence | undefined {
    return this.#fence;
  }

  /** Has the next renewal fail. */
  giveUp(): void {
    this.#givenUp = true;
  }

  /** Has it be free for others for so long, as far as this one is concerned. */
  standBack(ms: number): void {
    this.#backUntilMs = this.#client.clock.nowMs() + ms;
  }

  async acquire({ signal }: Signalled): Promise<Acquired> {
    const asked = this.#asked(signal);
    const there = await this.#holder(asked);
    if (there && there.lease !== this.#lease)
      return { kind: 'taken', by: Buffer.from(there.value).toString() };
    if (this.#lease !== undefined && (this.#givenUp || !(await this.#client.keepAlive(this.#lease, asked))))
      await this.#end(asked);
    this.#givenUp = false;
    if (this.#client.clock.nowMs() < this.#backUntilMs) return { kind: 'taken', by: NOBODY };
    const lease = (this.#lease ??= await this.#client.grant(Math.ceil(this.#options.ttlMs / 1000), asked));
    const found = await this.#create(lease, asked);
    if (found.lease === lease) {
      this.#fence = { createRevision: found.createRevision, lease };
      return { kind: 'held' };
    }
    await this.#end(asked);
    return { kind: 'taken', by: Buffer.from(found.value).toString() };
  }

  /** The lease alone does not do: somebody may have removed the key, and another one created it since. */
  async renew({ signal }: Signalled): Promise<boolean> {
    const lease = this.#lease;
    if (lease === undefined) return false;
    const asked = this.#asked(signal);
    if (!this.#givenUp && (await this.#client.keepAlive(lease, asked))) {
      const there = await this.#holder(asked);
      if (there?.lease === lease && there.createRevision === this.#fence?.createRevision) return true;
    }
    await this.#end(asked);
    return false;
  }

  async release({ signal }: Signalled): Promise<void> {
    const lease = this.#lease;
    if (lease === undefined) return;
    await this.#client.revoke(lease, this.#asked(signal));
    this.#lease = undefined;
  }

  async *watch({ signal }: Signalled): AsyncGenerator<string | undefined> {
    if (signal.aborted) return;
    const { kvs, header } = await this.#client.range({ key: this.#key }, this.#asked(signal));
    let holder = kvs[0] && Buffer.from(kvs[0].value).toString();
    yield holder;
    const range = { key: this.#key, rangeEnd: new Uint8Array() };
    for await (const { events } of watchRange(this.#client, range, {
      from: (header?.revision ?? 0n) + 1n,
      signal,
    })) {
      const last = events.at(-1)?.kv;
      // A key that was removed has no version.
      holder = last && last.version > 0n ? Buffer.from(last.value).toString() : undefined;
      yield holder;
    }
  }

  async #holder(asked: Asked): Promise<KeyValue | undefined> {
    return (await this.#client.range({ key: this.#key }, asked)).kvs[0];
  }

  /** Creates the key where it is not there; gives what is there then. */
  async #create(lease: bigint, asked: Asked): Promise<Pick<KeyValue, 'value' | 'lease' | 'createRevision'>> {
    const value = Buffer.from(this.#options.value);
    const { succeeded, header, responses } = await this.#client.txn(
      {
        compare: [
          { key: this.#key, target: Target.CREATE, targetUnion: { case: 'createRevision', value: 0n } },
        ],
        success: [{ request: { case: 'requestPut', value: { key: this.#key, value, lease } } }],
        failure: [{ request: { case: 'requestRange', value: { key: this.#key } } }],
      },
      asked,
    );
    if (succeeded) return { value, lease, createRevision: header?.revision ?? 0n };
    const [first] = responses;
    const found = first?.response.case === 'responseRange' ? first.response.value.kvs[0] : undefined;
    if (!found) throw new EtcdError(`${this.#client.where} answers without sense`, 'unknown');
    return found;
  }

  /** Whatever comes of it: a lease that is not renewed ends by itself. */
  async #end(asked: Asked): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease !== undefined) await this.#client.revoke(lease, asked).catch(() => undefined);
  }

  #asked(signal: AbortSignal): Asked {
    return { signal, deadlineMs: this.#options.deadlineMs };
  }
}
