import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { containersOn, idsOf, nodeIs, nodesOf, settled, tasksOf, type SeenContainer } from './observed.ts';
import { Swarmd } from './swarmd.ts';

/** What fails on a manager's host and two plain engines, one of them of today. Each test goes on from the former. */
let hosts: Hosts;
let swarmd: Swarmd;
let manager: Host;
let older: Host;
let newer: Host;

/** A node is down when three heartbeats are missed. */
const HEARTBEAT_MS = 1_000;
const DOWN_MS = 3 * HEARTBEAT_MS;
const REPLICAS = 5;
const join = async (host: Host): Promise<string> => {
  const token = await swarmd.docker('swarm', 'join-token', '-q', 'worker');
  await host.docker('swarm', 'join', '--token', token, `${manager.ip}:2377`);
  return host.docker('info', '--format', '{{.Swarm.NodeID}}');
};
const allSettled = (on: readonly Host[], agents = on.length): Promise<SeenContainer[]> =>
  settled(swarmd, on, { web: REPLICAS, agent: agents });
const downs = (): number => swarmd.log.split('node is down').length - 1;

beforeAll(async () => {
  hosts = await startHosts({
    count: 3,
    engine: ['20.10', '20.10', '28.5'],
    dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
  });
  [manager, older, newer] = [hosts.at(0), hosts.at(1), hosts.at(2)];
  swarmd = await new Swarmd(manager, { args: ['--dispatcher-heartbeat', `${HEARTBEAT_MS}ms`] }).start();
  await swarmd.docker('swarm', 'init', '--advertise-addr', manager.ip);
  for (const worker of [older, newer]) await join(worker);
  for (const host of hosts) await nodeIs(swarmd, host, 'ready');
  const create = ['service', 'create', '-d', '--no-resolve-image', '--restart-delay', '100ms', '--name'];
  await swarmd.docker(...create, 'web', '--replicas', `${REPLICAS}`, 'nginx');
  await swarmd.docker(...create, 'agent', '--mode', 'global', 'nginx');
  await allSettled(hosts.all);
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarmd.log.slice(-4000));
});
afterAll(async () => {
  await swarmd?.kill();
  await hosts?.close();
});

test('a host that loses its power: its tasks run elsewhere, and stay there when it is back', async () => {
  const before = await allSettled(hosts.all);
  const lost = new Set(before.filter(({ host }) => host === newer.name).map(({ task }) => task));
  await newer.powerOff();
  await nodeIs(swarmd, newer, 'down');
  const moved = await allSettled([manager, older]);
  expect(idsOf(moved)).toEqual(expect.arrayContaining(idsOf(before, manager, older)));
  const nodes = await swarmd.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}');
  expect(nodes.split('\n')).toContain(`${newer.name} Down`);
  const rows = await swarmd.docker(
    'service',
    'ps',
    'web',
    '--no-trunc',
    '--format',
    '{{.ID}} {{.DesiredState}}',
  );
  const shown = rows.split('\n').filter((row) => lost.has(row.split(' ')[0] ?? ''));
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.every((row) => row.endsWith(' Shutdown'))).toBe(true);

  await newer.powerOn();
  await nodeIs(swarmd, newer, 'ready');
  const back = await allSettled(hosts.all);
  expect(idsOf(back, manager, older)).toEqual(idsOf(moved));
  await until('the lost tasks have ended', 20_000, async () => {
    const tasks = (await tasksOf(swarmd)).filter(({ id }) => lost.has(id));
    return tasks.every(({ state }) => state !== 'running') || undefined;
  });
});

test('a link that is gone for a moment moves nothing', async () => {
  const [before, downsBefore] = [await allSettled(hosts.all), downs()];
  await older.cutLink();
  await sleep(HEARTBEAT_MS * 0.7);
  await older.healLink();
  await sleep(DOWN_MS); // in which nothing happens
  expect(downs()).toBe(downsBefore);
  expect(idsOf(await allSettled(hosts.all))).toEqual(idsOf(before));
});

test('a link that is gone for long: tasks move, stale containers stop at the return, also on a node emptied meanwhile', async () => {
  await older.cutLink();
  await nodeIs(swarmd, older, 'down');
  await swarmd.docker('node', 'update', '--availability', 'drain', older.name);
  const moved = await allSettled([manager, newer]);
  expect((await containersOn(older)).filter(({ running }) => running)).not.toEqual([]);
  await older.healLink();
  await nodeIs(swarmd, older, 'ready');
  const back = await allSettled(hosts.all, 2);
  expect(idsOf(back)).toEqual(idsOf(moved));
  await swarmd.docker('node', 'update', '--availability', 'active', older.name);
  await allSettled(hosts.all);
});

test('an engine that hangs is down, and takes back nothing when it goes on', async () => {
  newer.pause();
  await nodeIs(swarmd, newer, 'down');
  const moved = await allSettled([manager, older]);
  newer.resume();
  await nodeIs(swarmd, newer, 'ready');
  expect(idsOf(await allSettled(hosts.all), manager, older)).toEqual(idsOf(moved));
});

test('engines that end and come back never have a second container of a task', async () => {
  await swarmd.docker('service', 'update', '-d', '--force', '--update-parallelism', '0', 'web');
  const before = await until('tasks on every host', 30_000, async () => {
    const found = await allSettled(hosts.all);
    return hosts.all.every(({ name }) => found.some((one) => one.service === 'web' && one.host === name))
      ? found
      : undefined;
  });
  await Promise.all([older.kill().then(() => older.start()), newer.stop().then(() => newer.start())]);
  for (const host of [older, newer]) await nodeIs(swarmd, host, 'ready');
  await until('what was there has been given up', 30_000, async () => {
    const ids = new Set(before.filter(({ host }) => host !== manager.name).map(({ task }) => task));
    return (
      (await tasksOf(swarmd)).every(({ id, desired }) => !ids.has(id) || desired === 'shutdown') || undefined
    );
  });
  const after = await allSettled(hosts.all);
  expect(idsOf(after)).toEqual(expect.arrayContaining(idsOf(before, manager)));
  const containerOf = new Map(before.map(({ task, id }) => [task, id]));
  for (const { task, id } of (await Promise.all(hosts.all.map(containersOn))).flat())
    expect(containerOf.get(task) ?? id).toBe(id);
});

test('swarmd away for longer than a node may be silent: nothing moves, and every node is back by itself', async () => {
  const [before, downsBefore] = [await allSettled(hosts.all), downs()];
  await swarmd.stop();
  await sleep(2 * DOWN_MS);
  await swarmd.start();
  await until('all nodes are back', 30_000, async () => {
    const states = [...(await nodesOf(swarmd)).values()].map(({ state }) => state);
    expect(states).not.toContain('down');
    return states.every((state) => state === 'ready') || undefined;
  });
  expect(idsOf(await allSettled(hosts.all))).toEqual(idsOf(before));
  expect(downs()).toBe(downsBefore);
});

test('an engine that leaves is down, and can be removed and join as a new node', async () => {
  const former = (await nodesOf(swarmd)).get(newer.name)?.id ?? '';
  await newer.docker('swarm', 'leave');
  await nodeIs(swarmd, newer, 'down');
  await swarmd.docker('node', 'rm', former);
  expect([...(await nodesOf(swarmd)).keys()].sort()).toEqual([manager.name, older.name]);
  await allSettled([manager, older]);
  expect(await containersOn(newer)).toEqual([]);
  expect(await join(newer)).not.toBe(former);
  await nodeIs(swarmd, newer, 'ready');
  await allSettled(hosts.all);
});

test('a live node that is removed stays out with its certificate, and can join anew', async () => {
  const former = (await nodesOf(swarmd)).get(older.name)?.id ?? '';
  const held = await containersOn(older);
  const refused = await swarmd.tryDocker(['node', 'rm', former]);
  expect(refused.stderr).toContain(`node ${former} is not down and can't be removed`);
  await swarmd.docker('node', 'rm', '--force', former);
  const words = `node ${former} was removed from swarm`;
  await until('its engine is told, and again', 30_000, () => older.log.split(words).length > 2 || undefined);
  expect([...(await nodesOf(swarmd)).keys()].sort()).toEqual([manager.name, newer.name]);
  await allSettled([manager, newer]);
  await until('nobody waits for its tasks', 20_000, async () => {
    const tasks = (await tasksOf(swarmd)).filter(
      ({ id, state }) => state !== 'orphaned' && held.some(({ task, running }) => running && task === id),
    );
    return tasks.length === 0 || undefined;
  });
  // As with Docker, it keeps its containers until somebody tells it to leave.
  expect(idsOf((await containersOn(older)).filter(({ running }) => running))).toEqual(
    idsOf(held.filter(({ running }) => running)),
  );
  await older.docker('swarm', 'leave', '--force');
  expect(await containersOn(older)).toEqual([]);
  expect(await join(older)).not.toBe(former);
  await nodeIs(swarmd, older, 'ready');
  await allSettled(hosts.all);
});
