import { openDiscovery, type Discovery, type StoreOptions } from '../../src/discovery/index.ts';
import { startEtcd, type Etcd, type EtcdOptions } from '../stores/etcd.ts';
import type { StoreFixture } from './fixture.ts';

type Raw = Pick<StoreFixture, 'put' | 'get'>;

export async function v3Fixture(options: EtcdOptions): Promise<StoreFixture> {
  const etcd = await startEtcd(options);
  return fixture(etcd, {
    put: async (key, value) => void (await etcd.etcdctl('put', key, value)),
    get: async (key) => (await etcd.etcdctl('get', '--print-value-only', key)) || undefined,
  });
}

/** A server as old as the v2 API: it is found out that it has no other. */
export async function v2Fixture(): Promise<StoreFixture> {
  const etcd = await startEtcd({ version: '3.4', enableV2: true, withoutV3: true });
  return fixture(etcd, rawV2(etcd));
}

/** The v2 API as any client speaks it. */
export function rawV2(etcd: Etcd): Raw {
  const url = (key: string): string => `${etcd.address}/v2/keys/${key}`;
  return {
    put: async (key, value) => {
      await fetch(url(key), { method: 'PUT', body: new URLSearchParams({ value }) });
    },
    get: async (key) => {
      const answer = (await (await fetch(url(key))).json()) as { node?: { value?: string } };
      return answer.node?.value;
    },
  };
}

/** A discovery at `ip1,ip2/prefix` with a heartbeat of a second. */
export function openEtcd(
  rest: string,
  options: { store?: StoreOptions | undefined; graceMs?: number | undefined } = {},
): Promise<Discovery> {
  const { store = {}, graceMs } = options;
  const grace = graceMs === undefined ? {} : { graceMs };
  return openDiscovery({ scheme: 'etcd', rest }, { heartbeatMs: 1000, store, ...grace });
}

function fixture(etcd: Etcd, raw: Raw): StoreFixture {
  return {
    ...raw,
    open: ({ prefix = '', store, graceMs } = {}) =>
      openEtcd(`${etcd.endpoint}/${prefix}`, { store, graceMs }),
    stop: () => etcd.stop(),
    start: (options) => etcd.start(options),
    pause: () => etcd.pause(),
    resume: () => etcd.resume(),
    [Symbol.asyncDispose]: () => etcd[Symbol.asyncDispose](),
  };
}
