import type { Event, WatchRequest, WatchResponse } from '../../../proto/generated/etcd/rpc_pb.js';
import { create } from '@bufbuild/protobuf';
import { WatchRequestSchema } from '../../../proto/generated/etcd/rpc_pb.js';
import { Bell } from '../../base/bell.ts';
import type { EtcdClient } from './client.ts';
import { EtcdError, etcdError } from './etcd-error.ts';
import type { KeyRange } from './keys.ts';

/** What changed with one revision of etcd's, in the order in which it was written. */
export interface Group {
  readonly revision: bigint;
  readonly events: readonly Event[];
}

/** etcd has forgotten what was asked for: everything is to be read anew. */
export class CompactedError extends EtcdError {}

export interface WatchOptions {
  /** The first revision that is told. */
  readonly from: bigint;
  readonly signal: AbortSignal;
  /** Called whenever etcd gives a sign of life. */
  readonly onHeard?: () => void;
}

/** A watch that is silent is asked for a sign of life, and without one for so long it is dead. */
const [ASK_MS, SILENT_MS] = [1_500, 4_500];

/**
 * Follows keys from a revision on, revision by revision, until the signal fires, which ends it without an error. Throws a
 * CompactedError, or another EtcdError where etcd can't be followed; whoever calls begins again behind what was yielded.
 *
 * etcd's progress notices are taken as signs of life and no more: those of 3.4 may run ahead of events.
 */
export async function* watchRange(
  client: EtcdClient,
  { key, rangeEnd }: KeyRange,
  { from, signal, onHeard }: WatchOptions,
): AsyncGenerator<Group, void, undefined> {
  const line = await client.openWatch({ signal });
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  const outbox = new Outbox(
    create(WatchRequestSchema, {
      requestUnion: {
        case: 'createRequest',
        value: { key, rangeEnd, startRevision: from, fragment: true },
      },
    }),
  );
  const life = new SignsOfLife(client.clock.nowMs());
  const guard = life.guard(client, outbox, over, ended);
  try {
    const answers = line.wire.watch.watch(outbox.requests(ended), { signal: ended, headers: line.headers });
    const groups = new Groups();
    for await (const answer of answers) {
      life.heard(client.clock.nowMs());
      checkGoesOn(answer, line.endpoint);
      onHeard?.();
      yield* groups.take(answer);
    }
    throw new EtcdError(`etcd at ${line.endpoint} ended the watch`, 'unknown');
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof CompactedError)) line.drop();
    throw over.signal.aborted
      ? new EtcdError(`etcd at ${line.endpoint} is silent`, 'unknown')
      : etcdError(line.endpoint, error);
  } finally {
    over.abort();
    await guard;
  }
}

function checkGoesOn({ canceled, compactRevision, cancelReason }: WatchResponse, endpoint: string): void {
  if (compactRevision > 0n)
    throw new CompactedError(`etcd at ${endpoint} has compacted what was to be followed`, 'refused');
  if (canceled) throw new EtcdError(`etcd at ${endpoint} ended the watch: ${cancelReason}`, 'unknown');
}

/** Puts the parts of an answer, and the events of a revision, together. */
class Groups {
  #revision = 0n;
  #events: Event[] = [];

  *take({ events, fragment }: WatchResponse): Generator<Group> {
    for (const event of events) {
      const revision = event.kv?.modRevision ?? 0n;
      if (revision !== this.#revision) yield* this.#flush();
      this.#revision = revision;
      this.#events.push(event);
    }
    if (!fragment) yield* this.#flush();
  }

  *#flush(): Generator<Group> {
    if (this.#events.length > 0) yield { revision: this.#revision, events: this.#events };
    this.#events = [];
  }
}

/** What is sent on a watch: what is to be watched, then now and then a question. */
class Outbox {
  readonly #first: WatchRequest;
  readonly #bell = new Bell();

  constructor(first: WatchRequest) {
    this.#first = first;
  }

  ask(): void {
    this.#bell.ring();
  }

  async *requests(signal: AbortSignal): AsyncGenerator<WatchRequest, void, undefined> {
    yield this.#first;
    while (await this.#bell.heard(signal))
      yield create(WatchRequestSchema, { requestUnion: { case: 'progressRequest', value: {} } });
  }
}

class SignsOfLife {
  #lastMs: number;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  heard(nowMs: number): void {
    this.#lastMs = nowMs;
  }

  /** Asks when it is silent, and ends it when it stays so. */
  async guard(client: EtcdClient, outbox: Outbox, over: AbortController, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await client.clock.pause(ASK_MS, ended);
      const silentMs = client.clock.nowMs() - this.#lastMs;
      if (silentMs >= SILENT_MS) over.abort();
      else outbox.ask();
    }
  }
}
