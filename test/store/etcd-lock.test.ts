import { afterAll, beforeAll, expect, test } from 'vitest';
import { Keyring, LockedError, parseUnlockKey } from '../../src/store/index.ts';
import { until } from '../hosts/index.ts';
import { clusterFixture } from '../simulation/index.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import {
  openManager,
  sharedPlace,
  type ManagerOptions,
  type SharedPlace,
  type TestManager,
} from './etcd-place.ts';
import { config, contents } from './objects.ts';

const LATEST_MS = 20_000;
let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
}, 60_000);
afterAll(() => etcd[Symbol.asyncDispose]());

/** A manager that leads a swarm with something in it. */
async function leading(place: SharedPlace): Promise<TestManager> {
  const leader = await openManager(place);
  await leader.campaign();
  await leader.store.update((tx) => {
    tx.create('cluster', clusterFixture());
    tx.create('config', config('first', 2_000));
    tx.create('config', config('large', 200_000));
  });
  return leader;
}

async function wish({ store }: TestManager, on: boolean, renew = false): Promise<void> {
  await store.update((tx) => {
    const cluster = tx.cluster() ?? expect.fail();
    tx.update('cluster', { ...cluster, spec: { ...cluster.spec, autoLockManagers: on } });
    store.lock.follow(tx, { on, renew });
  });
}

const opened = (place: SharedPlace, key: string, more: ManagerOptions = {}): Promise<TestManager> => {
  const keyring = new Keyring();
  keyring.offer(parseUnlockKey(key));
  return openManager(place, { ...more, keyring });
};

const same = (one: TestManager, other: TestManager): Promise<unknown> =>
  until('it holds the same', LATEST_MS, () =>
    one.store.view.revision === other.store.view.revision ? true : undefined,
  ).then(() => expect(contents(one.store.view)).toEqual(contents(other.store.view)));

test('managers follow a lock, a new key of it and its end; whoever opens the state needs the key', async () => {
  const place = sharedPlace(etcd);
  const leader = await leading(place);
  const follower = await openManager(place, {
    name: 'two',
    askUnlockKey: async () => parseUnlockKey(await leader.store.lock.unlockKey()),
  });
  await wish(leader, true);
  const first = await leader.store.lock.unlockKey();
  await leader.store.lock.settle();
  await same(follower, leader);
  const values = await etcd.etcdctl(
    'get',
    '--prefix',
    `${place.prefix}/${place.clusterId}/state/rows/config`,
  );
  expect(values).toContain('{"sealed":1}');
  expect(values).not.toContain('"annotations"');
  await expect(openManager(place, { name: 'three' })).rejects.toBeInstanceOf(LockedError);

  await wish(leader, true, true);
  const second = await leader.store.lock.unlockKey();
  await leader.store.lock.settle();
  await leader.store.update((tx) => tx.create('config', config('after')));
  await same(follower, leader);
  expect(await follower.store.lock.unlockKey()).toBe(second);
  await expect(opened(place, first)).rejects.toBeInstanceOf(LockedError);
  await same(await opened(place, second, { name: 'three' }), leader);

  await leader.resign();
  await follower.campaign();
  await follower.store.update((tx) => tx.create('config', config('by the other')));
  await same(leader, follower);
  await wish(follower, false);
  await follower.store.lock.settle();
  await same(leader, follower);
  expect(leader.store.view.count('seal')).toBe(0);
  await same(await openManager(place, { name: 'four' }), follower);
}, 60_000);

test('a manager that does not get the key of a lock says so, and neither writes nor stays behind when it gets it', async () => {
  const place = sharedPlace(etcd);
  const leader = await leading(place);
  const keyring = new Keyring();
  const follower = await openManager(place, { name: 'two', keyring });
  await wish(leader, true);
  const key = await leader.store.lock.unlockKey();
  await until('it says so', LATEST_MS, () =>
    follower.troubles.some((words) => words?.includes('needs to be unlocked')) ? true : undefined,
  );
  await expect(follower.store.update(() => undefined)).rejects.toMatchObject({ code: 'no-manager' });
  keyring.offer(parseUnlockKey(key));
  await same(follower, leader);
}, 60_000);
