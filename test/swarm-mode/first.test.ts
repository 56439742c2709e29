import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { Swarmd } from './swarmd.ts';

/** The guide's order, on a manager's host and two plain engines, one of them of today. Each test goes on from the former. */
let hosts: Hosts;
let swarmd: Swarmd;
let manager: Host;
let workers: readonly Host[] = [];
let nodeId = '';

beforeAll(async () => {
  hosts = await startHosts({
    count: 3,
    engine: ['20.10', '20.10', '28.5'],
    dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
  });
  [manager, ...workers] = [hosts.at(0), hosts.at(1), hosts.at(2)];
  swarmd = await new Swarmd(manager).start();
});
afterAll(async () => {
  await swarmd?.kill();
  await hosts?.close();
});

test('init makes this host a node and says how others join', async () => {
  const said = await swarmd.docker('swarm', 'init', '--advertise-addr', manager.ip);
  nodeId = /current node \((\w{25})\) is now a manager/.exec(said)?.[1] ?? said;
  expect(said).toContain(`docker swarm join --token SWMTKN-1-`);
  expect(said).toContain(`${manager.ip}:2377`);
  const shown = await swarmd.docker(
    ...[
      'info',
      '--format',
      '{{.Swarm.NodeID}} {{.Swarm.ControlAvailable}} {{.Swarm.Managers}}/{{.Swarm.Nodes}}',
    ],
  );
  expect(shown).toBe(`${nodeId} true 1/1`);
  const engine = await manager.docker('info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.NodeID}}');
  expect(engine).toBe(`active ${nodeId}`);
  const again = await swarmd.tryDocker(['swarm', 'init']);
  expect(again.stderr).toContain('This node is already part of a swarm.');
});

test('plain engines join with the worker token', async () => {
  const token = await swarmd.docker('swarm', 'join-token', '-q', 'worker');
  for (const worker of workers) {
    const said = await worker.docker('swarm', 'join', '--token', token, `${manager.ip}:2377`);
    expect(said).toBe('This node joined a swarm as a worker.');
  }
  await until('three nodes are ready', 20_000, async () => {
    const states = await swarmd.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}');
    const ready = [manager, ...workers].map(({ name }) => `${name} Ready`).sort();
    return states.split('\n').sort().join() === ready.join() || undefined;
  });
  const rows = await swarmd.docker(
    'node',
    'ls',
    '--format',
    '{{.Self}} {{.Hostname}} {{.Availability}} {{.ManagerStatus}}',
  );
  expect(rows.split('\n').sort()).toEqual(
    [`true ${manager.name} Active Leader`, ...workers.map(({ name }) => `false ${name} Active `)].sort(),
  );
});

test('a service is created, listed and scaled', async () => {
  await swarmd.docker('service', 'create', '--replicas', '3', '--name', 'apache', 'nginx:latest');
  expect(await swarmd.docker('service', 'ls', '--format', '{{.Name}} {{.Mode}} {{.Replicas}}')).toBe(
    'apache replicated 3/3',
  );
  const places = await swarmd.docker('service', 'ps', 'apache', '--format', '{{.Name}} {{.Node}}');
  expect(
    places
      .split('\n')
      .map((line) => line.split(' ')[1])
      .sort(),
  ).toEqual([manager, ...workers].map(({ name }) => name).sort());
  await swarmd.docker('service', 'scale', 'apache=5');
  expect(await swarmd.docker('service', 'ls', '--format', '{{.Replicas}}')).toBe('5/5');
});

test('a removed service leaves no container behind', async () => {
  expect(await swarmd.docker('service', 'rm', 'apache')).toBe('apache');
  expect(await swarmd.docker('service', 'ls', '-q')).toBe('');
  for (const host of [manager, ...workers])
    await until(
      `${host.name} is empty`,
      30_000,
      async () => (await host.docker('ps', '-aq')) === '' || undefined,
    );
});

test('leaving erases the swarm, and another can be made at once', async () => {
  const refused = await swarmd.tryDocker(['swarm', 'leave']);
  expect(refused.stderr).toContain('Removing the last manager erases all current state of the swarm.');
  expect(await swarmd.docker('swarm', 'leave', '--force')).toBe('Node left the swarm.');
  expect(await manager.docker('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('inactive');
  await swarmd.docker('swarm', 'init', '--advertise-addr', manager.ip);
  const next = await swarmd.docker('info', '--format', '{{.Swarm.NodeID}}');
  expect(next).not.toBe(nodeId);
  await swarmd.docker('swarm', 'leave', '--force');
});
