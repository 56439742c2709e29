import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { Swarmd } from './swarmd.ts';

/** How the engine beside a manager is kept in its swarm. Each test goes on from the former. */
let hosts: Hosts;
let host: Host;
let swarmd: Swarmd;
let nodeId = '';

beforeAll(async () => {
  hosts = await startHosts({ count: 1, images: false });
  host = hosts.at(0);
  swarmd = await new Swarmd(host).start();
});
afterAll(async () => {
  await swarmd?.kill();
  await hosts?.close();
});

const own = (): Promise<string> =>
  host.docker('info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.NodeID}}');
const node = (): Promise<string> => swarmd.docker('node', 'ls', '--format', '{{.ID}} {{.Status}}');
const nodeIs = (state: string): Promise<boolean> =>
  until(`the node is ${state}`, 30_000, async () => (await node()) === `${nodeId} ${state}` || undefined);

test('an engine of another swarm stays there, and nothing is changed', async () => {
  await host.docker('swarm', 'init', '--advertise-addr', host.ip);
  const before = await own();
  const refused = await swarmd.tryDocker(['swarm', 'init', '--advertise-addr', host.ip]);
  expect(refused.stderr).toContain('This node is already part of a swarm.');
  expect(await own()).toBe(before);
  // What the engine manages is seen through this socket as well.
  expect(await swarmd.docker('node', 'ls', '-q')).toBe(before.split(' ')[1]);
  await swarmd.docker('swarm', 'leave', '--force');
});

test('an init that fails leaves nothing behind', async () => {
  const nowhere = await swarmd.tryDocker(['swarm', 'init', '--advertise-addr', '0.0.0.0']);
  expect(nowhere.stderr).toContain('advertise address must be a non-zero IP address or network interface');
  // The engine's own port.
  const taken = await swarmd.tryDocker([
    ...['swarm', 'init', '--advertise-addr', host.ip, '--listen-addr', '0.0.0.0:2375'],
  ]);
  expect(taken.stderr).toContain('address already in use');
  expect(await own()).toBe('inactive ');
});

test('other ports and a loopback address do for one host', async () => {
  await swarmd.docker('swarm', 'init', '--advertise-addr', '127.0.0.1', '--listen-addr', '127.0.0.1:4567');
  const said = await swarmd.docker('swarm', 'join-token', 'worker');
  expect(said).toContain('127.0.0.1:4567');
  await swarmd.docker('swarm', 'leave', '--force');
});

test('an engine that left by its own socket is joined again under its id', async () => {
  const said = await swarmd.docker('swarm', 'init', '--advertise-addr', host.ip);
  nodeId = /current node \((\w+)\)/.exec(said)?.[1] ?? '';
  await nodeIs('Ready');
  await host.docker('swarm', 'leave');
  expect(await own()).toBe('inactive ');
  await until('it is back', 20_000, async () => (await own()) === `active ${nodeId}` || undefined);
  expect(swarmd.log).toContain('the engine of this host has left the swarm');
  await nodeIs('Ready');
});

test('swarm routes work while the engine is down, also after a start without it', async () => {
  await host.stop();
  const format = '{{.Swarm.NodeID}} {{.Swarm.ControlAvailable}} {{.Swarm.Error}}';
  const info = await swarmd.docker('info', '--format', format);
  expect(info).toContain(`${nodeId} true Cannot connect to the Docker daemon`);
  await swarmd.kill();
  await swarmd.start();
  await swarmd.docker('node', 'update', '--label-add', 'a=b', nodeId);
  await host.start();
  await nodeIs('Ready');
  await until('nothing is wrong', 20_000, async () => {
    return (await swarmd.docker('info', '--format', '{{.Swarm.Error}}')) === '' || undefined;
  });
  expect(await swarmd.docker('node', 'inspect', 'self', '--format', '{{.Spec.Labels}}')).toBe('map[a:b]');
});

test('a backup brings the swarm back on an empty disk, and the engine is adopted', async () => {
  const file = host.diskFolder('backup.db');
  const saved = await swarmd.command('backup', file);
  expect(saved).toMatchObject({ code: 0, stdout: expect.stringContaining('Saved the state') as string });
  expect(await swarmd.command('backup', file)).toMatchObject({ code: 1 });
  await swarmd.stop();
  const fresh = new Swarmd(host, { state: 'fresh' });
  expect(await fresh.command('restore', file)).toMatchObject({ code: 0 });
  swarmd = await fresh.start();
  await nodeIs('Ready');
  expect(await own()).toBe(`active ${nodeId}`);
  expect(await swarmd.docker('node', 'inspect', 'self', '--format', '{{.Spec.Labels}}')).toBe('map[a:b]');
});
