import { afterAll, expect, test } from 'vitest';
import { eachLimited } from '../../src/base/async.ts';
import { V2Client } from '../../src/discovery/etcd/v2-client.ts';
import { V3Client } from '../../src/discovery/etcd/v3-client.ts';
import { StoreHttp } from '../../src/discovery/http-store.ts';
import type { Discovery } from '../../src/discovery/index.ts';
import { until } from '../hosts/index.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { openEtcd, rawV2 } from './etcd-fixture.ts';
import { Follower, SOON_MS } from './follower.ts';

const [A, B] = ['10.0.0.1:2375', '10.0.0.2:2375'];
const LONG_MS = 120_000;
const signal = AbortSignal.timeout(10 * 60_000);
/** One server with both APIs for the tests that leave it as it is. */
const shared = startEtcd({ enableV2: true });

afterAll(async () => (await shared)[Symbol.asyncDispose]());

const register = (discovery: Discovery, address: string): Promise<void> =>
  discovery.register(address, { ttlMs: LONG_MS, signal });

test.concurrent('asks its endpoints in turn, and goes on at another when one is gone or silent', async () => {
  await using first = await startEtcd();
  await using second = await startEtcd({ version: '3.5' });
  const rest = `127.0.0.1:1,${first.endpoint},${second.endpoint}`;
  await using opened = closing(await openEtcd(rest));
  const discovery = opened.is;
  await register(discovery, A);
  await using direct = closing(await openEtcd(second.endpoint));
  await register(direct.is, A);
  await using follower = new Follower(discovery);
  await follower.shows([A]);
  first.pause();
  const lock = discovery.lock?.({ name: 'leader', value: 'one', ttlMs: 30_000 });
  await until('the lock is held at the other', SOON_MS, async () =>
    (await lock?.acquire({ signal }))?.kind === 'held' ? true : undefined,
  );
  await register(discovery, B);
  await follower.shows([A, B]);
  await first.kill();
  await second.kill();
  const error: unknown = await discovery.list({ signal }).catch((reason: unknown) => reason);
  for (const endpoint of rest.split(',')) expect(String(error)).toContain(`etcd at ${endpoint} refuses`);
});

test.concurrent('finds the API anew when the server has another one than before', async () => {
  const old = await startEtcd({ enableV2: true, withoutV3: true });
  await using discovery = closing(await openEtcd(old.endpoint));
  await using follower = new Follower(discovery.is);
  await register(discovery.is, A);
  await follower.shows([A]);
  await old[Symbol.asyncDispose]();
  await using upgraded = await startEtcd({ version: '3.5', port: Number(old.endpoint.split(':')[1]) });
  await register(discovery.is, B);
  await follower.shows([A, B]); // the first one, lost with the old server's data, stays for a while
  expect(await upgraded.etcdctl('get', '--keys-only', '--prefix', '')).toBe(`docker/swarm/nodes/${B}\n`);
});

test.concurrent('says which API is missing', async () => {
  await using none = await startEtcd({ withoutV3: true });
  const { endpoint } = none;
  const cases: [etcdApi: 2 | 3 | undefined, says: string][] = [
    [undefined, 'has neither the v3 API as JSON (etcd 3.4 and newer) nor the v2 API (--enable-v2)'],
    [2, 'does not serve the v2 API: start it with --enable-v2, or leave --discovery-opt etcd.api out'],
    [3, 'does not serve the v3 API as JSON (etcd 3.4 and newer do)'],
  ];
  for (const [etcdApi, says] of cases) {
    await using discovery = closing(await openEtcd(endpoint, { store: etcdApi ? { etcdApi } : {} }));
    await expect(discovery.is.list({ signal })).rejects.toMatchObject({
      code: 'unavailable',
      message: `etcd at ${endpoint} ${says}`,
    });
  }
});

test.concurrent('hints at engines that are registered under the other API', async () => {
  const etcd = await shared;
  await using old = closing(await openEtcd(`${etcd.endpoint}/hint`, { store: { etcdApi: 2 } }));
  await using discovery = closing(await openEtcd(`${etcd.endpoint}/hint`));
  await using follower = new Follower(discovery.is);
  await follower.shows([]);
  expect(follower.trouble).toBeUndefined();
  await register(old.is, A);
  expect(await follower.troubled()).toBe(
    `etcd at ${etcd.endpoint} has engines under its v2 API only: use --discovery-opt etcd.api=2`,
  );
  await register(discovery.is, B);
  await follower.shows([B]);
  await follower.calm();
});

test.concurrent.each([2, 3] as const)(
  'registrations that somebody removes stay until they return (v%i)',
  async (etcdApi) => {
    const etcd = await shared;
    const prefix = `removed-${etcdApi}`;
    await using discovery = closing(await openEtcd(`${etcd.endpoint}/${prefix}`, { store: { etcdApi } }));
    await using follower = new Follower(discovery.is);
    for (const address of [A, B]) await register(discovery.is, address);
    await follower.shows([A, B]);
    await removeAll(etcd, prefix, etcdApi);
    expect(await follower.troubled()).toContain('registrations are missing');
    expect(follower.addresses).toEqual([A, B]);
    for (const address of [A, B]) await register(discovery.is, address);
    await follower.calm();
    expect(follower.addresses).toEqual([A, B]);
  },
);

test.concurrent.each([2, 3] as const)('a lock whose key somebody removed is lost (v%i)', async (etcdApi) => {
  const etcd = await shared;
  const prefix = `lock-removed-${etcdApi}`;
  const rest = `${etcd.endpoint}/${prefix}`;
  await using discovery = closing(await openEtcd(rest, { store: { etcdApi } }));
  const lock = discovery.is.lock?.({ name: 'leader', value: 'one', ttlMs: LONG_MS });
  const other = discovery.is.lock?.({ name: 'leader', value: 'two', ttlMs: LONG_MS });
  expect(await lock?.acquire({ signal })).toEqual({ kind: 'held' });
  await removeAll(etcd, prefix, etcdApi);
  expect(await other?.acquire({ signal })).toEqual({ kind: 'held' });
  expect(await lock?.renew({ signal })).toBe(false);
  expect(await lock?.acquire({ signal })).toEqual({ kind: 'taken', by: 'two' });
});

test.concurrent('keys live for whole seconds, rounded up', async () => {
  const etcd = await shared;
  const rest = `${etcd.endpoint}/seconds`;
  const timeToLive = { ttlMs: 60_500, signal };
  await using two = closing(await openEtcd(rest, { store: { etcdApi: 2 } }));
  await two.is.register(A, timeToLive);
  const found = await fetch(`${etcd.address}/v2/keys/seconds/docker/swarm/nodes/${A}`);
  const { node } = (await found.json()) as { node: { value: string; ttl: number } };
  expect(node).toMatchObject({ value: A, ttl: 61 });
  await using three = closing(await openEtcd(rest));
  await three.is.register(A, timeToLive);
  const key = await etcd.etcdctl('get', `seconds/docker/swarm/nodes/${A}`, '-w', 'json');
  const [kv] = (JSON.parse(key) as { kvs: { lease: number }[] }).kvs;
  expect(kv?.lease).toBeGreaterThan(0);
  expect(await etcd.etcdctl('lease', 'list')).toContain('found');
});

test.concurrent('managers of the Go original and ours elect one leader under v2', async () => {
  const etcd = await shared;
  await using discovery = closing(await openEtcd(`${etcd.endpoint}/mixed`, { store: { etcdApi: 2 } }));
  const lock = discovery.is.lock?.({ name: 'leader', value: 'ours:4000', ttlMs: LONG_MS });
  // What the original's store library sends to take a lock, and to keep it.
  const theirs = async (form: Record<string, string>): Promise<number> => {
    const url = `${etcd.address}/v2/keys/mixed/docker/swarm/leader`;
    return (await fetch(url, { method: 'PUT', body: new URLSearchParams({ value: 'theirs:4000', ...form }) }))
      .status;
  };
  expect(await theirs({ prevExist: 'false', ttl: '2' })).toBe(201);
  expect(await lock?.acquire({ signal })).toEqual({ kind: 'taken', by: 'theirs:4000' });
  await until('theirs has run out', SOON_MS, async () =>
    (await lock?.acquire({ signal }))?.kind === 'held' ? true : undefined,
  );
  expect(await theirs({ prevExist: 'false', ttl: '2' })).toBe(412);
  expect(await rawV2(etcd).get('mixed/docker/swarm/leader')).toBe('ours:4000');
  await lock?.release({ signal });
  expect(await theirs({ prevExist: 'false', ttl: '2' })).toBe(201);
});

test.concurrent('events that the server has forgotten are told as a change', async () => {
  const etcd = await shared;
  const http = new StoreHttp('etcd', [etcd.endpoint]);
  const client = new V2Client(http);
  const { index } = await client.get('forgotten', { signal });
  const numbers = Array.from({ length: 1100 }, (_, n) => n);
  await eachLimited(numbers, 20, async (n) => rawV2(etcd).put('elsewhere', `${n}`));
  const next = await client.next('forgotten', { after: index, signal, onEndpoint: () => undefined });
  expect(next).toEqual({ at: expect.any(Number) as unknown });
  expect(next && 'at' in next && next.at).toBeGreaterThanOrEqual(index + 1100);
  http.close();
});

test.concurrent('a watch from a revision that is compacted away ends', async () => {
  const etcd = await shared;
  const http = new StoreHttp('etcd', [etcd.endpoint]);
  const client = new V3Client(http);
  for (const value of ['1', '2', '3']) await etcd.etcdctl('put', 'compacted', value);
  const { revision } = await client.range('compacted', { signal });
  await etcd.etcdctl('compaction', revision);
  const changes = [];
  const watch = client.watch('compacted', { after: '0', signal, onEndpoint: () => undefined });
  for await (const change of watch) changes.push(change);
  expect(changes).toEqual([]);
  http.close();
});

async function removeAll(etcd: Etcd, prefix: string, etcdApi: 2 | 3): Promise<void> {
  if (etcdApi === 3) await etcd.etcdctl('del', '--prefix', prefix);
  else await fetch(`${etcd.address}/v2/keys/${prefix}?recursive=true`, { method: 'DELETE' });
}

function closing(is: Discovery): { is: Discovery } & AsyncDisposable {
  return { is, [Symbol.asyncDispose]: async () => is.close?.() };
}
