import { SwarmError } from '../../base/errors.ts';
import { readRegistrations, type Listing } from '../held-list.ts';
import { StoreHttp } from '../http-store.ts';
import type { OpenOptions } from '../open.ts';
import { lockKey, nodesFolder, storeAddress } from '../store-address.ts';
import { lookEveryMs } from '../store-times.ts';
import { watchStore } from '../store-watch.ts';
import type { Discovery } from '../types.ts';
import type { EtcdApi } from './api.ts';
import { ApiChoice } from './api-choice.ts';
import { LateLock } from './late-lock.ts';

const PORT = 2379;

/**
 * `etcd://ip1,ip2[:port]/prefix`: by the v3 API where the servers have it, else by v2, or by what `etcd.api` says.
 * Dials nobody by itself. Throws `invalid` for TLS files that cannot be used.
 */
export function etcdDiscovery(rest: string, options: OpenOptions): Discovery {
  const { endpoints, prefix } = storeAddress(rest, PORT);
  const store = options.store ?? {};
  const http = new StoreHttp('etcd', endpoints, store.tls);
  const places = { folder: nodesFolder(prefix, store.path), endpoints: endpoints.length };
  const choice = new ApiChoice(http, places, store.etcdApi);
  const everyMs = lookEveryMs(options.heartbeatMs);
  const closed = new AbortController();

  async function withApi<T>(
    signal: AbortSignal,
    act: (api: EtcdApi, both: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (closed.signal.aborted) throw new SwarmError('unavailable', 'the discovery is closed');
    const both = AbortSignal.any([signal, closed.signal]);
    return choice.using(both, (api) => act(api, both));
  }
  async function* followed(api: EtcdApi, signal: AbortSignal): AsyncGenerator<Listing> {
    for await (const listing of api.follow(signal, everyMs)) {
      const note = listing.registrations.length === 0 ? await choice.hint(signal) : undefined;
      yield note === undefined ? listing : { ...listing, note };
    }
  }
  return {
    scheme: 'etcd',
    list: ({ signal }) =>
      withApi(signal, async (api, both) =>
        readRegistrations(await api.list(both)).addresses.map((address) => ({ address })),
      ),
    watch: ({ signal }) =>
      watchStore({
        follow: (inner) => choice.following(inner, (api) => followed(api, inner)),
        signal: AbortSignal.any([signal, closed.signal]),
        ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
      }),
    register: (address, { ttlMs, signal }) =>
      withApi(signal, (api, both) => api.register(address, ttlMs, both)),
    lock: (lockOptions) => new LateLock(choice, lockKey(prefix, lockOptions.name), lockOptions),
    close: async () => {
      closed.abort(new SwarmError('unavailable', 'the discovery is closed'));
      http.close();
    },
  };
}
