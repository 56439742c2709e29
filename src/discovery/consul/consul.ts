import { SwarmError } from '../../base/errors.ts';
import { readRegistrations } from '../held-list.ts';
import { StoreHttp } from '../http-store.ts';
import type { OpenOptions } from '../open.ts';
import { lockKey, nodesFolder, storeAddress } from '../store-address.ts';
import { lookEveryMs } from '../store-times.ts';
import { watchStore } from '../store-watch.ts';
import type { Discovery } from '../types.ts';
import { ConsulApi } from './api.ts';
import { followKeys, toRegistrations } from './follow.ts';
import { ConsulLock } from './lock.ts';
import { Registrations } from './registrations.ts';

const PORT = 8500;

/**
 * `consul://ip[:port]/prefix`: one server or agent, by its HTTP API. Dials nobody by itself. Throws `invalid` for TLS
 * files that cannot be used.
 */
export function consulDiscovery(rest: string, options: OpenOptions): Discovery {
  const { endpoints, prefix } = storeAddress(rest, PORT);
  const store = options.store ?? {};
  const http = new StoreHttp('Consul', endpoints, store.tls);
  const api = new ConsulApi(http);
  const folder = nodesFolder(prefix, store.path);
  const registrations = new Registrations(api, folder);
  const everyMs = lookEveryMs(options.heartbeatMs);
  const closed = new AbortController();
  const unlessClosed = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, closed.signal]);
  return {
    scheme: 'consul',
    list: async ({ signal }) => {
      const { value: keys } = await api.list(folder, { signal: unlessClosed(signal) });
      const { addresses } = readRegistrations({ registrations: toRegistrations(keys) });
      return addresses.map((address) => ({ address }));
    },
    watch: ({ signal }) =>
      watchStore({
        follow: (inner) => followKeys(api, folder, everyMs, inner),
        signal: unlessClosed(signal),
        ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
      }),
    register: (address, { ttlMs, signal }) => registrations.register(address, ttlMs, unlessClosed(signal)),
    lock: (lock) => new ConsulLock(api, lockKey(prefix, lock.name), lock),
    close: async () => {
      closed.abort(new SwarmError('unavailable', 'the discovery is closed'));
      http.close();
    },
  };
}
