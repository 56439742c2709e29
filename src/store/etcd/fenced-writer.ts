import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  Compare_CompareTarget as Target,
  type CompareSchema,
  type TxnResponse,
} from '../../../proto/generated/etcd/rpc_pb.js';
import { backoffMs } from '../../base/async.ts';
import { SwarmError, messageOf } from '../../base/errors.ts';
import type { RowWrite } from '../types.ts';
import type { EtcdClient } from './client.ts';
import { EtcdError } from './etcd-error.ts';
import type { Keys } from './keys.ts';
import type { Term } from './lead.ts';
import { layoutValue } from './layout-value.ts';
import { newMark, revisionOf, revisionValue } from './revision-value.ts';
import { opsOf, type Op } from './row-values.ts';

/** How long one attempt may take. etcd itself gives up after 5 s and its election timeout. */
const ATTEMPT_MS = 2_500;
/** A commit that certainly was not done is tried so often: an endpoint may have gone. */
const TRIES = 3;
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [50, 500];

/**
 * Writes commits, each as one transaction that etcd does only where this term still leads and nobody else has written: the leader's key
 * was created by this term, and the state's revision was last written when this writer thinks so. Whoever lost the lead, or was
 * asleep while it passed on, can't write.
 */
export class FencedWriter {
  readonly #client: EtcdClient;
  readonly #keys: Keys;
  readonly #term: Term;
  #writtenAt: bigint;
  #layout: number;

  /** `writtenAt`: etcd's revision of the last write of the state's revision. `layout`: the state's. */
  constructor(
    client: EtcdClient,
    keys: Keys,
    term: Term,
    { writtenAt, layout }: { readonly writtenAt: bigint; readonly layout: number },
  ) {
    this.#client = client;
    this.#keys = keys;
    this.#term = term;
    this.#writtenAt = writtenAt;
    this.#layout = layout;
  }

  /** The state's layout, as far as what was written is known. */
  get layout(): number {
    return this.#layout;
  }

  /** Up to where what was written is known. */
  get writtenAt(): bigint {
    return this.#writtenAt;
  }

  /**
   * Resolves when it lasts. Rejects with `no-manager` when another leads, or may lead: unless the message says that it is not
   * known, it was not written, and never will be. Other rejections say the same of a term that goes on. Where the rows are of another
   * layout than the state was, it says so from this commit on.
   */
  async commit(revision: number, writes: readonly RowWrite[], layout: number): Promise<void> {
    const raise: Op[] = layout === this.#layout ? [] : [this.#layoutOp(layout)];
    const ops = [...writes.flatMap((row) => opsOf(this.#keys, row)), ...raise];
    await this.#commit(revision, ops);
    this.#layout = layout;
  }

  async #commit(revision: number, ops: readonly Op[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      this.#checkLeads();
      const mark = newMark();
      try {
        const answer = await this.#txn([...ops, this.#revisionOp(revision, mark)], ATTEMPT_MS);
        if (!answer.succeeded) throw this.#passed();
        this.#writtenAt = answer.header?.revision ?? 0n;
        return;
      } catch (error) {
        if (!(error instanceof EtcdError) || error.outcome === 'refused') throw error;
        if (error.outcome === 'unknown' && (await this.#find(revision, mark, error)) === 'written') return;
        if (tries === TRIES) throw error;
      }
    }
  }

  /**
   * What became of a commit that got no answer. It may still be on its way; so before anything else is written, the revision is
   * written once more as it was: from then on the commit can't be done any more, or it was done before.
   */
  async #find(revision: number, mark: string, cause: EtcdError): Promise<'written' | 'not-written'> {
    const seals = new Set<string>();
    for (let failures = 0; ; failures++) {
      if (!this.#term.leads()) throw this.#unknown(cause);
      const seal = newMark();
      seals.add(seal);
      try {
        const answer = await this.#txn([this.#revisionOp(revision - 1, seal)], ATTEMPT_MS);
        if (answer.succeeded) {
          this.#writtenAt = answer.header?.revision ?? 0n;
          return 'not-written';
        }
        const there = revisionIn(answer);
        if (there && (there.mark === mark || seals.has(there.mark))) {
          this.#writtenAt = there.writtenAt;
          return there.mark === mark ? 'written' : 'not-written';
        }
        this.#passed();
        throw this.#unknown(cause);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        const pauseMs = backoffMs(failures, FIRST_PAUSE_MS, LAST_PAUSE_MS, this.#client.random);
        await this.#client.clock.pause(pauseMs, this.#term.signal);
      }
    }
  }

  #layoutOp(layout: number): Op {
    return { case: 'requestPut', value: { key: this.#keys.layout, value: layoutValue(layout) } };
  }

  #revisionOp(revision: number, mark: string): Op {
    const value = { key: this.#keys.revision, value: revisionValue(revision, mark) };
    return { case: 'requestPut', value };
  }

  /** Does all of it, under the fence; otherwise says what the revision is. */
  #txn(ops: readonly Op[], deadlineMs: number): Promise<TxnResponse> {
    const { leader, revision } = this.#keys;
    const { createRevision, lease, signal } = this.#term;
    const compare: MessageInitShape<typeof CompareSchema>[] = [
      {
        key: leader,
        target: Target.CREATE,
        targetUnion: { case: 'createRevision', value: createRevision },
      },
      { key: leader, target: Target.LEASE, targetUnion: { case: 'lease', value: lease } },
      {
        key: revision,
        target: Target.MOD,
        targetUnion: { case: 'modRevision', value: this.#writtenAt },
      },
    ];
    return this.#client.txn(
      {
        compare,
        success: ops.map((request) => ({ request })),
        failure: [{ request: { case: 'requestRange', value: { key: revision } } }],
      },
      { signal, deadlineMs },
    );
  }

  #checkLeads(): void {
    if (!this.#term.leads()) throw notLeading();
  }

  #passed(): SwarmError {
    this.#term.abandon();
    return notLeading();
  }

  #unknown(cause: EtcdError): SwarmError {
    return new SwarmError(
      'no-manager',
      `this manager does not lead any more, and it is not known whether the last change was written (${messageOf(cause)})`,
      { cause },
    );
  }
}

/** What whoever writes through a manager that does not lead is told. */
export function notLeading(): SwarmError {
  return new SwarmError('no-manager', 'this manager does not lead the swarm now');
}

function revisionIn({ responses }: TxnResponse): ReturnType<typeof revisionOf> {
  const [first] = responses;
  if (first?.response.case !== 'responseRange') return undefined;
  return revisionOf(first.response.value.kvs[0]);
}
