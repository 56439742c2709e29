import { SwarmError } from '../../base/errors.ts';
import { MAX_ENTRIES } from '../entries.ts';
import { follow } from '../follow.ts';
import type { Listing } from '../held-list.ts';
import { lockTimes } from '../store-times.ts';
import type { Lock, LockOptions } from '../types.ts';
import type { EtcdApi, EtcdPlaces } from './api.ts';
import type { Range, V3Client } from './v3-client.ts';
import type { KeyValue } from './wire.ts';
import { V3Lock } from './v3-lock.ts';

/** More than one manager's engines cannot be looked at for who removed them. */
const LEASES_ASKED = 8;

/** Registrations and locks as keys under leases. */
export class EtcdV3 implements EtcdApi {
  readonly version = 3;
  readonly #client: V3Client;
  readonly #places: EtcdPlaces;
  /** The leases of what was registered here, by address. */
  readonly #leases = new Map<string, { id: string; ttlMs: number }>();

  constructor(client: V3Client, places: EtcdPlaces) {
    this.#client = client;
    this.#places = places;
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#client.range(this.#places.folder, { signal });
  }

  async list(signal: AbortSignal): Promise<Listing> {
    return toListing((await this.#range(signal)).kvs);
  }

  async *follow(signal: AbortSignal, everyMs: number): AsyncGenerator<Listing> {
    let revision = '0';
    let streamsFrom: string | undefined;
    let before: readonly KeyValue[] = [];
    yield* follow<Listing>({
      look: async () => {
        const range = await this.#range(signal);
        revision = range.revision;
        if (streamsFrom !== undefined && streamsFrom !== range.endpoint) return undefined;
        const emptied = range.kvs.length === 0 && before.length > 0;
        const removed = emptied && (await this.#someAlive(before, signal));
        before = range.kvs;
        return { ...toListing(range.kvs), removed };
      },
      changes: (turn) =>
        this.#client.watch(this.#places.folder, {
          folder: true,
          after: revision,
          signal: turn,
          onEndpoint: (endpoint) => (streamsFrom = endpoint),
        }),
      signal,
      everyMs,
    });
  }

  /**
   * A registration that lasts is prolonged without a word to those who watch; it is written where it is missing or
   * belongs to an agent before this one.
   */
  async register(address: string, ttlMs: number, signal: AbortSignal): Promise<void> {
    const key = `${this.#places.folder}/${address}`;
    const known = this.#leases.get(address);
    if (known?.ttlMs === ttlMs && (await this.#client.keepAlive(known.id, { signal })))
      if (await this.#client.putUnderLease(key, address, known.id, { signal })) return;
    this.#leases.delete(address);
    const id = await this.#client.grant(ttlMs, { signal });
    if (!(await this.#client.putUnderLease(key, address, id, { signal })))
      throw new SwarmError('unavailable', 'etcd ended a lease that it had just granted');
    this.#leases.set(address, { id, ttlMs });
  }

  lock(key: string, options: LockOptions): Lock {
    return new V3Lock(this.#client, key, options, lockTimes(options.ttlMs, this.#places.endpoints));
  }

  #range(signal: AbortSignal): Promise<Range> {
    return this.#client.range(this.#places.folder, { folder: true, limit: MAX_ENTRIES + 1, signal });
  }

  /** Keys whose leases go on did not run out: somebody removed them. */
  async #someAlive(kvs: readonly KeyValue[], signal: AbortSignal): Promise<boolean> {
    const leases = new Set(kvs.map(({ lease }) => lease).filter((lease) => lease !== '0'));
    for (const lease of [...leases].slice(0, LEASES_ASKED))
      if (await this.#client.isAlive(lease, { signal })) return true;
    return false;
  }
}

function toListing(kvs: readonly KeyValue[]): Listing {
  return { registrations: kvs };
}
