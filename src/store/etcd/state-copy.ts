import { randomBytes } from 'node:crypto';
import { Compare_CompareTarget as Target, type TxnResponse } from '../../../proto/generated/etcd/rpc_pb.js';
import { backoffMs } from '../../base/async.ts';
import { SwarmError } from '../../base/errors.ts';
import type { RowWrite } from '../types.ts';
import type { EtcdClient } from './client.ts';
import { findCluster } from './cluster.ts';
import { EtcdError } from './etcd-error.ts';
import { keysOf, type Keys } from './keys.ts';
import { layoutValue } from './layout-value.ts';
import { newMark, revisionValue } from './revision-value.ts';
import { opsOf, opsOver, type Op } from './row-values.ts';

/** Where a state is to be. */
export interface StatePlace {
  readonly prefix: string;
  readonly clusterId: string;
}

/** Of one batch: etcd takes 128 operations and 1.5 MiB a request. */
const [MOST_OPS, MOST_BYTES] = [120, 1024 * 1024];
/** How long a batch is tried for while etcd does not answer. */
const BATCH_MS = 30_000;
const ATTEMPT_MS = 5_000;
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [50, 1_000];

/**
 * Brings the rows of a state into etcd, in batches, where nobody takes them for one: the pointer, the layout and the revision, without
 * which there is no state, come with the last transaction. Each batch is done once and in its order, however often it
 * is sent: it compares how far the copy has come, and writes that on.
 */
export class StateCopy {
  readonly #client: EtcdClient;
  readonly #place: StatePlace;
  readonly #keys: Keys;
  readonly #mark: string;
  #batches: number;

  /** `progress` goes on with a copy that came so far. */
  constructor(client: EtcdClient, place: StatePlace, progress?: string) {
    this.#client = client;
    this.#place = place;
    this.#keys = keysOf(place.prefix, place.clusterId);
    const [mark = randomBytes(12).toString('base64url'), batches = '0'] = progress?.split(' ') ?? [];
    this.#mark = mark;
    this.#batches = Number(batches);
  }

  /** How far it has come; with this it can be published by another process. */
  get progress(): string {
    return `${this.#mark} ${this.#batches}`;
  }

  /**
   * Begins: what is left of another copy is removed, which then can't go on. Rejects with `conflict` where there is a state
   * already, this swarm's or another's.
   */
  async begin(signal: AbortSignal): Promise<void> {
    const { pointer, revision, state, copy } = this.#keys;
    const answer = await this.#send(signal, {
      compare: [pointer, revision].map(absent),
      ops: [{ case: 'requestDeleteRange', value: state }, put(copy, this.progress)],
    });
    if (!answer.succeeded) throw await this.#taken(signal);
  }

  /** Writes rows, each of them once; `over` what was written of them before. Resolves when they are there. */
  async write(
    rows: Iterable<RowWrite>,
    signal: AbortSignal,
    { over = false }: { readonly over?: boolean } = {},
  ): Promise<void> {
    let batch: Op[] = [];
    let size = 0;
    for (const row of rows) {
      const ops = (over ? opsOver : opsOf)(this.#keys, row);
      const bytes = ops.reduce((sum, op) => sum + sizeOf(op), 0);
      if (batch.length > 0 && (batch.length + ops.length > MOST_OPS || size + bytes > MOST_BYTES)) {
        await this.#step(batch, signal);
        [batch, size] = [[], 0];
      }
      batch.push(...ops);
      size += bytes;
    }
    if (batch.length > 0) await this.#step(batch, signal);
  }

  async #step(ops: readonly Op[], signal: AbortSignal): Promise<void> {
    const next = `${this.#mark} ${this.#batches + 1}`;
    const answer = await this.#send(signal, {
      compare: [is(this.#keys.copy, this.progress)],
      ops: [...ops, put(this.#keys.copy, next)],
    });
    if (!answer.succeeded && foundIn(answer) !== next) throw interfered(this.#client);
    this.#batches++;
  }

  /** How many keys the rows have there. */
  async count(signal: AbortSignal): Promise<number> {
    const { count } = await this.#client.range({ ...this.#keys.rows, limit: 1n }, { signal });
    return Number(count);
  }

  /**
   * Makes it the state, at this revision and of this layout, in one transaction; nothing happens where it is already. Rejects with `conflict` where the
   * copy is gone, or another state is in its place.
   */
  async publish(
    { revision, layout: value }: { readonly revision: number; readonly layout: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { pointer, layout, copy } = this.#keys;
    const answer = await this.#send(signal, {
      compare: [is(copy, this.progress), absent(pointer), absent(this.#keys.revision)],
      ops: [
        put(pointer, this.#place.clusterId),
        { case: 'requestPut', value: { key: layout, value: layoutValue(value) } },
        {
          case: 'requestPut',
          value: { key: this.#keys.revision, value: revisionValue(revision, newMark()) },
        },
        { case: 'requestDeleteRange', value: { key: copy, rangeEnd: new Uint8Array() } },
      ],
    });
    if (answer.succeeded) return;
    // Published before: the copy's key went with that.
    const there = await findCluster(this.#client, this.#place.prefix, { signal });
    if (there === this.#place.clusterId && foundIn(answer) === undefined) return;
    throw there === undefined ? interfered(this.#client) : await this.#taken(signal);
  }

  async #send(
    signal: AbortSignal,
    { compare, ops }: { readonly compare: readonly Comparison[]; readonly ops: readonly Op[] },
  ): Promise<TxnResponse> {
    const { clock, random } = this.#client;
    const endMs = clock.nowMs() + BATCH_MS;
    for (let tries = 0; ; tries++) {
      try {
        return await this.#client.txn(
          {
            compare: [...compare],
            success: ops.map((request) => ({ request })),
            failure: [{ request: { case: 'requestRange', value: { key: this.#keys.copy } } }],
          },
          { signal, deadlineMs: ATTEMPT_MS },
        );
      } catch (error) {
        // Each of them says what became of it when it is asked again.
        if (!(error instanceof EtcdError) || error.outcome === 'refused') throw error;
        const pauseMs = backoffMs(tries, FIRST_PAUSE_MS, LAST_PAUSE_MS, random);
        if (signal.aborted || clock.nowMs() + pauseMs >= endMs) throw error;
        await clock.pause(pauseMs, signal);
      }
    }
  }

  async #taken(signal: AbortSignal): Promise<SwarmError> {
    const there = await findCluster(this.#client, this.#place.prefix, { signal });
    const whose = there === undefined ? this.#place.clusterId : there;
    return new SwarmError('conflict', `${this.#client.where} holds the state of a swarm already (${whose})`);
  }
}

type Comparison = ReturnType<typeof absent> | ReturnType<typeof is>;

function absent(key: Uint8Array): {
  readonly key: Uint8Array;
  readonly target: Target;
  readonly targetUnion: { readonly case: 'createRevision'; readonly value: bigint };
} {
  return { key, target: Target.CREATE, targetUnion: { case: 'createRevision', value: 0n } };
}

function is(
  key: Uint8Array,
  text: string,
): {
  readonly key: Uint8Array;
  readonly target: Target;
  readonly targetUnion: { readonly case: 'value'; readonly value: Uint8Array };
} {
  return { key, target: Target.VALUE, targetUnion: { case: 'value', value: Buffer.from(text) } };
}

function put(key: Uint8Array, text: string): Op {
  return { case: 'requestPut', value: { key, value: Buffer.from(text) } };
}

function sizeOf(op: Op): number {
  return op.value.key.byteLength + (op.case === 'requestPut' ? op.value.value.byteLength : 0);
}

/** How far the copy had come. */
function foundIn({ responses }: TxnResponse): string | undefined {
  const [first] = responses;
  const found = first?.response.case === 'responseRange' ? first.response.value.kvs[0] : undefined;
  return found && Buffer.from(found.value).toString();
}

function interfered({ where }: EtcdClient): SwarmError {
  return new SwarmError(
    'conflict',
    `the copy of the state in ${where} was taken away, or begun anew by another`,
  );
}
