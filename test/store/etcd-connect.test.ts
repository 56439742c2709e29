import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  createCluster,
  findCluster,
  openEtcdStore,
  parseEtcdAddress,
  removeCluster,
  type EtcdClient,
  type EtcdTls,
} from '../../src/store/index.ts';
import { startCutProxy } from '../chaos/cut-proxy.ts';
import { until } from '../hosts/index.ts';
import { makeCa, makePair, type Pair } from '../discovery/openssl.ts';
import { freePort } from '../stores/server-process.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { openManager, sharedPlace, testClient, type SharedPlace } from './etcd-place.ts';
import { config, contents, serviceWithTasks } from './objects.ts';

const asked = (): { signal: AbortSignal } => ({ signal: AbortSignal.timeout(20_000) });
let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
}, 60_000);

afterAll(() => etcd[Symbol.asyncDispose]());

const keysBelow = async (place: SharedPlace, folder = ''): Promise<string[]> =>
  (await etcd.etcdctl('get', '--keys-only', '--prefix', `${place.prefix}/${folder}`))
    .split(/\n+/)
    .filter(Boolean);

/** Opens a state, for as long as it takes to see that it can be. */
async function open(
  client: ReturnType<typeof testClient>,
  { prefix, clusterId }: SharedPlace,
): Promise<number> {
  const options = { prefix, clusterId, nowMs: Date.now, onFault: console.error };
  const store = await openEtcdStore(client, options);
  await store.close();
  return store.view.revision;
}

/** Asks until the answer is this trouble: on a busy machine there may be none in time. */
async function expectTrouble(client: EtcdClient, { prefix }: SharedPlace, message: string): Promise<void> {
  await until(`"${message}" is said`, 30_000, async () => {
    const found = findCluster(client, prefix, { ...asked(), deadlineMs: 500 });
    await expect(found).rejects.toThrow(message);
    return true;
  });
}

describe('an etcd', () => {
  it('keeps the swarms of several prefixes apart, one each', async () => {
    const [one, two] = [sharedPlace(etcd), sharedPlace(etcd)];
    const client = testClient(one);
    expect(await findCluster(client, one.prefix, asked())).toBeUndefined();
    await expect(open(client, one)).rejects.toMatchObject({ code: 'not-found' });
    const [first, second] = [await openManager(one), await openManager(two)];
    await first.campaign();
    await second.campaign();
    await first.store.update((tx) => tx.create('config', config('same')));
    await second.store.update((tx) => tx.create('config', config('same', 20)));
    expect(await findCluster(client, one.prefix, asked())).toBe(one.clusterId);
    await createCluster(client, one.prefix, one.clusterId, asked());
    await expect(createCluster(client, one.prefix, 'another', asked())).rejects.toMatchObject({
      code: 'conflict',
      message: `etcd://${etcd.endpoint} holds another swarm at ${one.prefix} (${one.clusterId}); name another prefix, etcd://…/name, or join that one`,
    });
    expect(await open(client, one)).toBe(1);
    await removeCluster(client, one.prefix, one.clusterId, asked());
    expect(await keysBelow(one)).toEqual([]);
    await expect(first.store.update((tx) => tx.remove('config', 'config-same'))).rejects.toMatchObject({
      code: 'no-manager',
    });
    expect(second.store.view.byName('config', 'same')?.spec.data).toHaveLength(20);
    expect(await open(client, two)).toBe(1);
  });

  it('has a key for each row, large bytes apart, and nothing of what was removed', async () => {
    const place = sharedPlace(etcd);
    const manager = await openManager(place);
    await manager.campaign();
    await manager.store.update((tx) => {
      for (let index = 0; index < 6; index++) tx.create('config', config(String(index), 170_000));
      tx.create('config', { ...config('with/slash%2F', 10), id: 'with/slash%2F' });
    });
    const rows = `${place.prefix}/${place.clusterId}/state/rows/config`;
    const apart = Array.from({ length: 6 }, (_, index) => [
      `${rows}/config-${index}/`,
      `${rows}/config-${index}/data`,
    ]);
    expect(await keysBelow(place, `${place.clusterId}/state/rows`)).toEqual([
      ...apart.flat(),
      `${rows}/with%2Fslash%252F/`,
    ]);
    const reader = await openManager(place, { name: 'reader' });
    expect(contents(reader.store.view)).toEqual(contents(manager.store.view));
    await manager.store.batch([...manager.store.view.all('config')], (tx, one) => {
      tx.update('config', { ...one, spec: { ...one.spec, data: new Uint8Array([1]) } });
    });
    const after = await openManager(place, { name: 'after' });
    expect(contents(after.store.view)).toEqual(contents(manager.store.view));
    await manager.store.batch(
      [...manager.store.view.all('config')],
      (tx, { id }) => void tx.remove('config', id),
    );
    expect(await keysBelow(place, `${place.clusterId}/state/rows`)).toEqual([]);
  });

  it('is read in pages', async () => {
    const place = sharedPlace(etcd);
    const manager = await openManager(place);
    await manager.campaign();
    await serviceWithTasks(manager.store, 'a', 1_300);
    await manager.store.batch(
      Array.from({ length: 230 }, (_, index) => index),
      (tx, index) => void tx.create('config', config(String(index))),
    );
    const reader = await openManager(place, { name: 'reader' });
    expect(contents(reader.store.view)).toEqual(contents(manager.store.view));
  });

  it('is left alone when a newer swarmd wrote the state', async () => {
    const place = sharedPlace(etcd);
    const client = testClient(place);
    await createCluster(client, place.prefix, place.clusterId, asked());
    await etcd.etcdctl('put', `${place.prefix}/${place.clusterId}/state/layout`, '7');
    await expect(open(client, place)).rejects.toMatchObject({
      code: 'unavailable',
      message: `cannot read the state 'etcd://${etcd.endpoint}': it was written by a newer swarmd (layout 7; this one knows 1): upgrade swarmd on this host`,
    });
  });

  it('is found at whichever endpoint answers', async () => {
    const place = sharedPlace(etcd);
    const proxy = await startCutProxy(etcd.endpoint);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    proxy.cut();
    const nobody = `127.0.0.1:${await freePort('127.0.0.1')}`;
    const endpoints = [nobody, proxy.address, etcd.endpoint];
    const manager = await openManager(place, { client: { endpoints } });
    await manager.campaign();
    await manager.store.update((tx) => tx.create('config', config('c')));
    const none = testClient(place, { endpoints: [nobody] });
    await expectTrouble(none, place, `can't be reached: connect ECONNREFUSED ${nobody}`);
  });

  it('of version 3.5 does as well', async () => {
    const newer = await startEtcd({ version: '3.5' });
    onTestFinished(() => newer[Symbol.asyncDispose]());
    const place = sharedPlace(newer);
    const [one, two] = [await openManager(place), await openManager(place, { name: 'two' })];
    await one.campaign();
    await serviceWithTasks(one.store, 'a', 10);
    await one.resign();
    await two.campaign();
    expect(contents(two.store.view)).toEqual(contents(one.store.view));
    await two.store.update((tx) => tx.create('config', config('large', 500_000)));
    expect((await one.client.status(asked())).version).toMatch(/^3\.5/);
    let bytes = 0;
    for await (const piece of one.client.snapshot(asked().signal)) bytes += piece.length;
    expect(bytes).toBeGreaterThan(500_000);
  });
});

describe('an etcd with users', () => {
  it('is written to by one of them, and refuses who gives none', async () => {
    const own = await startEtcd();
    onTestFinished(() => own[Symbol.asyncDispose]());
    await own.etcdctl('user', 'add', 'root:pass:w%rd');
    await own.etcdctl('user', 'grant-role', 'root', 'root');
    await own.etcdctl('auth', 'enable');
    const address = parseEtcdAddress(`etcd://root:pass%3Aw%25rd@${own.endpoint}/users`);
    const place = { ...sharedPlace(own), prefix: address.prefix };
    const manager = await openManager(place, { client: address });
    await manager.campaign();
    await manager.store.update((tx) => tx.create('config', config('c')));
    expect(await open(testClient(place, address), place)).toBe(1);
    await expect(open(testClient(place), place)).rejects.toThrow('user name is empty');
    const wrong = testClient(place, { ...address, password: 'wrong' });
    await expect(open(wrong, place)).rejects.toThrow('authentication failed, invalid user ID or password');
  });
});

describe('an etcd with TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-store-tls-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const tlsOf = (ca: Pair, pair?: Pair): EtcdTls => ({
    ca: readFileSync(ca.cert, 'utf8'),
    ...(pair && { cert: readFileSync(pair.cert, 'utf8'), key: readFileSync(pair.key, 'utf8') }),
  });

  it('takes clients of its CA alone, and is taken by who trusts that', async () => {
    const [ca, other] = [await makeCa(folder, 'own'), await makeCa(folder, 'other')];
    const server = await makePair(folder, ca, {
      name: 'server',
      extensions: ['subjectAltName=IP:127.0.0.1', 'extendedKeyUsage=serverAuth,clientAuth'],
    });
    const [mine, theirs] = [
      await makePair(folder, ca, { name: 'mine', extensions: ['extendedKeyUsage=clientAuth'] }),
      await makePair(folder, other, { name: 'theirs', extensions: ['extendedKeyUsage=clientAuth'] }),
    ];
    const secure = await startEtcd({ tls: { ca: ca.cert, cert: server.cert, key: server.key } });
    onTestFinished(() => secure[Symbol.asyncDispose]());
    const place = sharedPlace(secure);
    const manager = await openManager(place, { client: { tls: tlsOf(ca, mine) } });
    await manager.campaign();
    await manager.store.update((tx) => tx.create('config', config('c')));
    const refusals: [EtcdTls | undefined, string][] = [
      [tlsOf(ca, theirs), 'it does not accept our certificate, or wants one'],
      [tlsOf(ca), 'it does not accept our certificate, or wants one'],
      [tlsOf(other, mine), "can't be reached: its certificate is not signed by the CA that was given"],
      [undefined, 'it closed the connection; does it want TLS?'],
    ];
    for (const [tls, message] of refusals) {
      const client = testClient(place, tls ? { tls } : {});
      await expectTrouble(client, place, message);
    }
    const plainly = testClient(place, { endpoints: [etcd.endpoint], tls: tlsOf(ca) });
    await expectTrouble(plainly, place, "can't be reached: it does not speak TLS");
    expect(() => testClient(place, { tls: { ca: 'nothing' } })).toThrow(
      "there is no certificate in etcd's CA",
    );
  });
});
