import { follow } from '../follow.ts';
import type { Listing } from '../held-list.ts';
import { lockTimes } from '../store-times.ts';
import type { Lock, LockOptions } from '../types.ts';
import type { EtcdApi, EtcdPlaces } from './api.ts';
import type { V2Client, V2Event } from './v2-client.ts';
import { V2Lock } from './v2-lock.ts';
import { V2Changes } from './v2-changes.ts';

/** Registrations and locks as keys with a time to live, as the Go original writes and reads them. */
export class EtcdV2 implements EtcdApi {
  readonly version = 2;
  readonly #client: V2Client;
  readonly #places: EtcdPlaces;

  constructor(client: V2Client, places: EtcdPlaces) {
    this.#client = client;
    this.#places = places;
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.list(signal);
  }

  async list(signal: AbortSignal): Promise<Listing> {
    return { registrations: (await this.#client.get(this.#places.folder, { signal })).nodes };
  }

  async *follow(signal: AbortSignal, everyMs: number): AsyncGenerator<Listing> {
    const changes = new V2Changes(this.#client, this.#places.folder);
    const known = new Map<string, string>();
    let removed = false;
    /** Agents write their registration at every heartbeat: what says nothing new costs no list. */
    const counts = ({ action, node }: V2Event): boolean => {
      removed ||= action === 'delete' || action === 'compareAndDelete';
      return action === 'expire' || removed || known.get(node.key) !== node.value;
    };
    yield* follow<Listing>({
      look: async () => {
        const found = await changes.get(signal);
        if (found === undefined) return undefined;
        known.clear();
        for (const { key, value } of found) known.set(key, value);
        const listing = { registrations: found, removed };
        removed &&= found.length === 0;
        return listing;
      },
      changes: (turn) => changes.follow(turn, counts),
      signal,
      everyMs,
    });
  }

  async register(address: string, ttlMs: number, signal: AbortSignal): Promise<void> {
    await this.#client.put(`${this.#places.folder}/${address}`, address, { ttlMs, signal });
  }

  lock(key: string, options: LockOptions): Lock {
    return new V2Lock(this.#client, key, options, lockTimes(options.ttlMs, this.#places.endpoints));
  }
}
