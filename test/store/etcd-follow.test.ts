import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { StoreEvent, Tx } from '../../src/store/index.ts';
import { startCutProxy } from '../chaos/cut-proxy.ts';
import { until } from '../hosts/index.ts';
import { seeded } from '../seeded.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { openManager, sharedPlace, type TestManager } from './etcd-place.ts';
import { config, contents, service, serviceWithTasks, task, withLabels } from './objects.ts';

const SOON_MS = 30_000;
let etcd: Etcd;

beforeAll(async () => {
  etcd = await startEtcd();
}, 60_000);

afterAll(() => etcd[Symbol.asyncDispose]());

/** Waits until a manager that follows has what the leader has. */
function same(follower: TestManager, leader: TestManager): Promise<void> {
  const { revision } = leader.store.view;
  return until(`revision ${revision} is followed`, SOON_MS, () =>
    follower.store.view.revision >= revision ? true : undefined,
  ).then(() => expect(contents(follower.store.view)).toEqual(contents(leader.store.view)));
}

/** What a store tells, each commit as a text. */
function told({ store }: TestManager): string[] {
  const commits: string[] = [];
  const line = ({ kind, type, object, previous }: StoreEvent): string =>
    `${type} ${kind} ${object.id} ${previous?.meta.version ?? '-'}`;
  store.watch((events) => commits.push(`${store.view.revision}: ${events.map(line).join(', ')}`));
  return commits;
}

describe('a manager that follows', () => {
  it('is told of the same commits as the leader, in the same order', async () => {
    const place = sharedPlace(etcd);
    const [leader, follower] = [await openManager(place), await openManager(place, { name: 'two' })];
    await leader.campaign();
    const [here, there] = [told(leader), told(follower)];
    const [made, tasks] = await serviceWithTasks(leader.store, 'a', 250);
    await leader.store.update((tx) => {
      tx.create('config', config('large', 500_000));
      tx.create('config', config('small'));
      tx.remove('task', tasks[0]?.id ?? '');
      tx.update('service', { ...made, specVersion: made.specVersion });
    });
    await leader.store.update((tx) => {
      tx.remove('config', 'config-large');
      tx.create('secret', {
        id: 'secret-s',
        spec: { annotations: { name: 's', labels: {} }, data: new Uint8Array([0, 10, 255]) },
      });
    });
    await leader.store.update((tx) => {
      const brief = tx.create('config', config('brief'));
      tx.remove('config', brief.id);
    });
    await same(follower, leader);
    expect(there).toEqual(here);
    expect(follower.store.view.byName('secret', 's')?.spec.data).toEqual(new Uint8Array([0, 10, 255]));
  });

  it('holds what another one has written when it is asked whether it does', async () => {
    const place = sharedPlace(etcd);
    const [leader, follower] = [await openManager(place), await openManager(place, { name: 'two' })];
    await leader.campaign();
    const { signal } = new AbortController();
    for (let count = 0; count < 30; count += 1) {
      const made = await leader.store.update((tx) => tx.create('config', config(`made-${count}`)));
      await Promise.all([1, 2, 3].map(() => follower.store.caughtUp(signal)));
      expect(follower.store.view.get('config', made.id)).toBeDefined();
    }
  });

  it('waits no longer than it is told to for what it cannot know', async () => {
    const place = sharedPlace(etcd);
    const proxy = await startCutProxy(etcd.endpoint);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const follower = await openManager({ ...place, endpoint: proxy.address });
    proxy.cut();
    await expect(follower.store.caughtUp(AbortSignal.abort())).resolves.toBe(false);
    await expect(follower.store.caughtUp(new AbortController().signal)).resolves.toBe(false);
  });

  it('refuses to write, and says why', async () => {
    const follower = await openManager(sharedPlace(etcd));
    const refused = { code: 'no-manager', message: 'this manager does not lead the swarm now' };
    await expect(follower.store.update(() => undefined)).rejects.toMatchObject(refused);
    await expect(follower.store.batch([1], () => undefined)).rejects.toMatchObject(refused);
    expect(follower.store.isWriter).toBe(false);
    await follower.store.close();
    await expect(follower.store.update(() => undefined)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('holds a spec that tasks share once, and writes such tasks without it when it leads', async () => {
    const place = sharedPlace(etcd);
    const [one, two] = [await openManager(place), await openManager(place, { name: 'two' })];
    await one.campaign();
    const [made] = await serviceWithTasks(one.store, 'a', 5);
    await same(two, one);
    const [there] = [...two.store.view.tasksOfService(made.id)];
    expect(two.store.view.get('service', made.id)?.spec.task).toBe(there?.spec);
    await one.resign();
    await two.campaign();
    const of = two.store.view.get('service', made.id) ?? expect.fail();
    const added = await two.store.update((tx) => tx.create('task', task(of, 6)));
    const key = `${place.prefix}/${place.clusterId}/state/rows/task/${added.id}/`;
    expect(await etcd.etcdctl('get', '--print-value-only', key)).not.toContain('httpd');
    await same(one, two);
    expect(one.store.view.get('task', added.id)?.spec).toBe(
      of && one.store.view.get('service', of.id)?.spec.task,
    );
  });

  it('takes over, and gives the lead back, with nothing lost and nothing read anew', async () => {
    const place = sharedPlace(etcd);
    const random = seeded(11);
    let [leader, other] = [await openManager(place), await openManager(place, { name: 'two' })];
    const [made] = await leader.campaign().then(() => serviceWithTasks(leader.store, 'a', 3));
    for (let turn = 0; turn < 4; turn++) {
      for (let step = 0; step < 8; step++)
        await leader.store.update((tx) => change(tx, made.id, random.whole(0, 9), `${turn}.${step}`));
      await leader.resign();
      await other.campaign();
      expect(contents(other.store.view)).toEqual(contents(leader.store.view));
      await expect(leader.store.update(() => undefined)).rejects.toMatchObject({ code: 'no-manager' });
      [leader, other] = [other, leader];
    }
    await same(other, leader);
    expect([...leader.troubles, ...other.troubles].filter((one) => one !== undefined)).toEqual([]);
    const reopened = await openManager(place, { name: 'three' });
    expect(contents(reopened.store.view)).toEqual(contents(leader.store.view));
  });

  it('reads anew what was compacted while it was cut off, and tells of the difference', async () => {
    const place = sharedPlace(etcd);
    const leader = await openManager(place);
    await leader.campaign();
    const proxy = await startCutProxy(etcd.endpoint);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const follower = await openManager({ ...place, endpoint: proxy.address }, { name: 'two' });
    const [made, tasks] = await serviceWithTasks(leader.store, 'a', 3);
    const kept = await leader.store.update((tx) => tx.create('config', config('kept')));
    await leader.store.update((tx) => tx.create('config', config('gone')));
    await same(follower, leader);
    const commits = told(follower);
    const before = follower.store.view.get('config', kept.id);
    proxy.cut();
    await leader.store.update((tx) => {
      tx.remove('config', 'config-gone');
      tx.create('config', config('new'));
      for (const one of tasks) tx.update('task', { ...one, nodeId: 'n' });
    });
    await leader.store.update((tx) => tx.create('config', config('newer')));
    await etcd.etcdctl('compact', await revisionOf(etcd));
    proxy.heal();
    await same(follower, leader);
    expect(commits).toHaveLength(1);
    expect(commits[0]).toContain('remove config config-gone -, create config config-new -');
    expect(follower.store.view.get('config', kept.id)).toBe(before);
    const [one] = [...follower.store.view.tasksOfNode('n')];
    expect(one?.spec).toBe(follower.store.view.get('service', made.id)?.spec.task);
    await leader.store.update((tx) => tx.create('config', config('newest')));
    await same(follower, leader);
    expect(commits).toHaveLength(2);
  });

  it('reads anew what somebody else meddled with, and says so where it makes no sense', async () => {
    const place = sharedPlace(etcd);
    const leader = await openManager(place);
    const follower = await openManager(place, { name: 'two' });
    await leader.campaign();
    const made = await leader.store.update((tx) => tx.create('config', config('c')));
    await same(follower, leader);
    const key = `${place.prefix}/${place.clusterId}/state/rows/config/${made.id}/`;
    await etcd.etcdctl('put', key, '{"nonsense');
    await until('it is said', SOON_MS, () => follower.troubles.at(-1));
    expect(follower.troubles.at(-1)).toBe('the row config/config-c is damaged');
    expect(follower.store.view.get('config', made.id)).toBeDefined();
    await etcd.etcdctl('del', key);
    await until('it is gone', SOON_MS, () =>
      follower.store.view.get('config', made.id) === undefined ? true : undefined,
    );
  });

  it('finds that a silent etcd is silent, and goes on when it answers', async () => {
    const place = sharedPlace(etcd);
    const leader = await openManager(place);
    await leader.campaign();
    const proxy = await startCutProxy(etcd.endpoint);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const follower = await openManager({ ...place, endpoint: proxy.address }, { name: 'two' });
    proxy.cut();
    await leader.store.update((tx) => tx.create('config', config('unseen')));
    await until('it is missed', SOON_MS, () => follower.troubles.at(-1));
    expect(follower.store.silentMs).toBeGreaterThan(3_000);
    proxy.heal();
    await same(follower, leader);
    expect(follower.troubles.at(-1)).toBeUndefined();
  });
});

/** Makes, changes or removes something. */
function change(tx: Tx, serviceId: string, what: number, turn: string): void {
  const [configId, taskId] = [`config-${what}`, `task-${what}`];
  const of = tx.get('service', serviceId) ?? expect.fail();
  const there = tx.get('config', configId);
  const old = tx.get('task', taskId);
  if (!there) tx.create('config', config(String(what), what % 3 === 0 ? 200_000 : 20));
  else if (what % 2 === 0) tx.remove('config', configId);
  else tx.update('config', withLabels(there, { turn }));
  if (!old) tx.create('task', { ...task(of, what), id: taskId });
  else if (what % 2 === 1) tx.remove('task', taskId);
  else tx.update('task', { ...old, nodeId: `node-${turn}` });
  if (what === 7) tx.create('service', service(`of-${turn}`));
}

async function revisionOf(of: Etcd): Promise<string> {
  const [status] = JSON.parse(await of.etcdctl('endpoint', 'status', '-w', 'json')) as [
    { Status: { header: { revision: number } } },
  ];
  return String(status.Status.header.revision);
}
