import { consulDiscovery } from '../../src/discovery/consul/consul.ts';
import { startConsul } from '../stores/consul.ts';
import type { StoreFixture, StoreTraits } from './fixture.ts';

/** Consul's sessions are of ten seconds at least, and end after twice their time. */
export const CONSUL_TRAITS: StoreTraits = { shortTtlMs: 20_000, goneWithinMs: 60_000, many: 400 };

export async function consulFixture(): Promise<StoreFixture> {
  const server = await startConsul();
  return {
    open: ({ prefix = '', ...options } = {}) =>
      consulDiscovery(`${server.endpoint}/${prefix}`, { heartbeatMs: 1000, ...options }),
    put: async (key, value) => {
      await server.consul('kv', 'put', key, value);
    },
    get: (key) => server.consul('kv', 'get', key),
    stop: () => server.stop(),
    start: (options) => server.start(options),
    pause: () => server.pause(),
    resume: () => server.resume(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
