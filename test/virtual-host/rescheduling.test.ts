import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call } from './raw.ts';
import { REGISTRY_ARGS, startRegistry } from './registry.ts';

const PATIENCE_MS = 60_000;
const QUICK = ['--engine-refresh-min-interval=1s', '--engine-refresh-max-interval=2s', '--heartbeat=1s'];
const MOVES = ['-e', 'reschedule:on-node-failure'];
const SLEEP = ['busybox', 'sleep', '1000'];

let etcd: Etcd | undefined;
let hosts: Hosts;
const folder = mkdtempSync(join(tmpdir(), 'skep-reschedule-'));
const file = join(folder, 'engines');

beforeAll(async () => {
  process.env['ETCD_UNSAFE_NO_FSYNC'] = 'true';
  hosts = await startHosts({
    count: 3,
    extraDockerdArgs: REGISTRY_ARGS,
    clusterStore: async (listen) => {
      etcd = await startEtcd({ version: '3.5', enableV2: true, listen });
      return `etcd://${etcd.endpoint}`;
    },
  });
  tellDiscovery();
}, 120_000);

afterAll(async () => {
  await hosts?.close();
  await etcd?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

function tellDiscovery(but?: Host): void {
  const named = [...hosts].filter((host) => host !== but);
  writeFileSync(file, named.map(({ address }) => address).join('\n'));
}

function start(retry: number): Promise<Swarm> {
  const args = [...QUICK, `--engine-failure-retry=${retry}`];
  return startSwarm(hosts, { args, discovery: `file://${file}` });
}

function hostNamed(name: string): Host {
  for (const host of hosts) if (host.name === name) return host;
  throw new Error(`no host ${name}`);
}

interface Inspected {
  Id: string;
  Node: { Name: string };
  State: { Status: string };
  Config: { Labels: Record<string, string>; Env: string[]; Image: string };
  HostConfig: Record<string, unknown>;
  Mounts: { Name: string; Destination: string }[];
  NetworkSettings: {
    Networks: Record<string, { IPAddress: string; Aliases: string[]; IPAMConfig: unknown }>;
  };
}

async function inspect(swarm: Swarm, name: string): Promise<Inspected> {
  const answer = await call(swarm.url, 'GET', `/containers/${name}/json`);
  if (answer.status !== 200) throw new Error(answer.message);
  return answer.json<Inspected>();
}

async function listed(swarm: Swarm, ...args: string[]): Promise<string[]> {
  const out = await swarm.docker('ps', '--format', '{{.Names}}', ...args);
  return out === '' ? [] : out.split('\n').sort();
}

/** The node and the name of what is listed as running. */
async function running(swarm: Swarm): Promise<{ node: string; name: string }[]> {
  return (await listed(swarm)).map((each) => {
    const [node = '', name = ''] = each.split('/');
    return { node, name };
  });
}

/** Waits until `done` says so of what runs; fails when a name was ever listed twice meanwhile. */
async function watch<T>(
  swarm: Swarm,
  what: string,
  done: (all: { node: string; name: string }[]) => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const twice = new Set<string>();
  const result = await until(what, PATIENCE_MS, async () => {
    const all = await running(swarm);
    const names = all.map(({ name }) => name);
    for (const [at, name] of names.entries()) if (names.indexOf(name) !== at) twice.add(name);
    return done(all);
  });
  expect([...twice]).toEqual([]);
  return result;
}

/** Waits until a container of this name runs on another node than `from`. */
function moved(swarm: Swarm, wanted: string, from: string): Promise<string> {
  return watch(swarm, `${wanted} to run elsewhere than on ${from}`, (all) => {
    const found = all.find(({ name }) => name === wanted);
    return found && found.node !== from ? found.node : undefined;
  });
}

/** Waits until the host has only these containers left. */
async function cleared(swarm: Swarm, host: Host, left: readonly string[]): Promise<void> {
  await watch(swarm, `${host.name} to be rid of its duplicates`, async () => {
    const there = (await host.docker('ps', '-a', '--format', '{{.Names}}')).split('\n').filter(Boolean);
    return there.sort().join() === [...left].sort().join() ? true : undefined;
  });
}

function logged(swarm: Swarm, pattern: RegExp): Promise<true> {
  return until(`the log to have ${pattern.source}`, PATIENCE_MS, () =>
    pattern.test(swarm.log()) ? true : undefined,
  );
}

async function untilHealthy(swarm: Swarm): Promise<void> {
  await until('all engines Healthy', PATIENCE_MS, async () => {
    const healthy = (await swarm.docker('info')).match(/Status: Healthy/g) ?? [];
    return healthy.length === 3 ? true : undefined;
  });
}

describe('an engine that restarts quickly', { timeout: 180_000 }, () => {
  it('keeps its containers', async () => {
    await using swarm = await start(100);
    const id = await swarm.docker('run', '-d', '--restart', 'always', '--name', 'stays', ...MOVES, 'nginx');
    const { Node } = await inspect(swarm, 'stays');
    const host = hostNamed(Node.Name);
    await host.kill();
    await host.start();
    await until('it to run again', PATIENCE_MS, async () =>
      (await listed(swarm)).includes(`${host.name}/stays`) &&
      (await host.docker('ps', '-q', '--no-trunc')) === id
        ? true
        : undefined,
    );
    expect((await inspect(swarm, 'stays')).Id).toBe(id);
    expect(swarm.log()).not.toContain('escheduled');
    await until('it to go', PATIENCE_MS, () => swarm.docker('rm', '-f', 'stays'));
  });
});

describe('a node that is lost', { timeout: 180_000 }, () => {
  let swarm: Swarm;
  beforeAll(async () => {
    swarm = await start(2);
  });
  afterAll(async () => {
    await swarm?.stop();
  });

  it('has a policy refused that is none', async () => {
    for (const [env, words] of [
      [['reschedule:sometimes'], 'invalid reschedule policy: sometimes'],
      [['reschedule:off', 'reschedule:on-node-failure'], 'too many reschedule policies'],
    ] as const) {
      const refused = await swarm.tryDocker(['create', ...env.flatMap((each) => ['-e', each]), ...SLEEP]);
      expect(refused.stderr).toContain(words);
    }
  });

  it('by its daemon: a private image is pulled with the credentials of the create', async () => {
    await using registry = await startRegistry(hosts.at(0).ip.replace(/\d+$/, '1'));
    const image = `${registry.name}/team/app:1`;
    const from = hosts.at(1);
    await from.docker('tag', 'nginx', image);
    await from.docker('push', image);
    registry.login = 'bee:honey';
    const login = { username: 'bee', password: 'honey', serveraddress: registry.name };
    // Engines want the letters of base64url, and the padding of base64.
    const auth = Buffer.from(JSON.stringify(login))
      .toString('base64')
      .replaceAll('+', '-')
      .replaceAll('/', '_');
    const made = await until('the manager to know the image', PATIENCE_MS, async () => {
      const answer = await call(swarm.url, 'POST', '/containers/create?name=private', {
        body: { Image: image, Env: ['reschedule:on-node-failure'] },
        headers: { 'x-registry-auth': auth },
      });
      return answer.status === 201 ? answer : undefined;
    });
    await swarm.docker('start', made.json<{ Id: string }>().Id);
    expect((await inspect(swarm, 'private')).Node.Name).toBe(from.name);
    await from.stop();
    await moved(swarm, 'private', from.name);
    expect((await inspect(swarm, 'private')).Config.Image).toBe(image);
    expect(swarm.log()).not.toContain(auth);
    await from.start();
    await cleared(swarm, from, []);
    await untilHealthy(swarm);
    await swarm.docker('rm', '-f', 'private');
  });

  it('by its power: what has the policy is made again as it was, the rest waits', async () => {
    const lost = hosts.at(0);
    await swarm.docker('network', 'create', '--subnet', '10.77.0.0/24', `${lost.name}/app`);
    await swarm.docker('network', 'create', '-d', 'overlay', 'back');
    const web = ['--name', 'web', '--net', 'app', '--ip', '10.77.0.9', '--network-alias', 'site'];
    const more = ['-v', 'data:/data', '-m', '32m', '-c', '1', '-l', 'tier=front', '-e', 'COLOUR=red'];
    await swarm.docker('run', '-d', ...web, ...more, '-e', 'affinity:tier!=front', ...MOVES, 'nginx');
    await swarm.docker('network', 'connect', '--alias', 'far', 'back', 'web');
    const label = 'com.docker.swarm.reschedule-policies=["on-node-failure"]';
    await swarm.docker('run', '-d', '--name', 'paused', '--net', 'app', '-l', label, ...SLEEP);
    await swarm.docker('pause', 'paused');
    await swarm.docker('create', '--name', 'idle', '--net', 'container:paused', ...MOVES, ...SLEEP);
    const here = ['-e', `constraint:node==${lost.name}`];
    await swarm.docker('run', '-d', '--name', 'tied', ...here, ...MOVES, ...SLEEP);
    await swarm.docker('run', '-d', '--name', 'plain', ...here, ...SLEEP);
    await swarm.docker('run', '-d', '--name', 'off', ...here, '-e', 'reschedule:off', ...SLEEP);
    const before = await inspect(swarm, 'web');
    expect(before.Node.Name).toBe(lost.name);
    expect(before.Config.Env).not.toContain('reschedule:on-node-failure');
    const tied = await inspect(swarm, 'tied');

    await lost.powerOff();
    const node = await moved(swarm, 'web', lost.name);
    expect(await moved(swarm, 'paused', lost.name)).toBe(node);
    await until('the container that was not started', PATIENCE_MS, async () =>
      (await listed(swarm, '-a')).includes(`${node}/idle`) ? true : undefined,
    );
    const after = await inspect(swarm, 'web');
    expect(after.Id).not.toBe(before.Id);
    expect(after.Config).toEqual({ ...before.Config, Hostname: after.Id.slice(0, 12) });
    expect(after.HostConfig).toEqual(before.HostConfig);
    expect(Object.keys(after.NetworkSettings.Networks).sort()).toEqual(['app', 'back']);
    expect(after.NetworkSettings.Networks['app']).toMatchObject({
      IPAddress: '10.77.0.9',
      Aliases: expect.arrayContaining(['site']) as unknown,
    });
    expect(after.NetworkSettings.Networks['back']?.Aliases).toContain('far');
    expect(after.Mounts.map(({ Name }) => Name)).toEqual(['data']);
    const page = ['exec', 'paused', 'timeout', '5', 'wget', '-qO-', 'http://site'];
    expect(await until('the page', 20_000, () => swarm.docker(...page))).toContain('nginx');
    expect((await inspect(swarm, 'idle')).State.Status).toBe('created');

    const down = await swarm.docker(
      'ps',
      '-a',
      '--filter',
      `node=${lost.name}`,
      '--format',
      '{{.Names}} {{.Status}}',
    );
    const waiting = ['off', 'plain', 'tied'].map((name) => `${lost.name}/${name} Host Down`);
    expect(down.split('\n').sort()).toEqual(waiting);
    const taken = await swarm.tryDocker(['create', '--name', 'tied', ...SLEEP]);
    expect(taken.stderr).toContain('Conflict: The name tied is already');
    await logged(swarm, /Rescheduled container.* name=web from=core-01/);
    await logged(swarm, /Data stays on the lost node.* name=web .*volume data at \/data/);
    await logged(swarm, /Container could not be rescheduled.* name=tied/);
    expect((await swarm.docker('network', 'ls', '--format', '{{.Name}}')).match(/\/app$/gm)).toHaveLength(1);

    await lost.powerOn();
    await cleared(swarm, lost, ['off', 'plain', 'tied']);
    await untilHealthy(swarm);
    expect((await inspect(swarm, 'tied')).Id).toBe(tied.Id);
    expect((await inspect(swarm, 'web')).Id).toBe(after.Id);
    await until('the network to leave', PATIENCE_MS, async () =>
      (await lost.docker('network', 'ls', '--format', '{{.Name}}')).split('\n').includes('app')
        ? undefined
        : true,
    );
    await swarm.docker('rm', '-f', 'web', 'idle', 'paused', 'off', 'plain', 'tied');
    await swarm.docker('network', 'rm', 'app', 'back');
  });

  it('by its link: waits for room, and gives way when the link is back', async () => {
    const publish = ['-p', '8080:80'];
    await swarm.docker('run', '-d', '--name', 'solo', ...publish, ...MOVES, 'nginx');
    const from = (await inspect(swarm, 'solo')).Node.Name;
    for (const { name } of [...hosts].filter((host) => host.name !== from))
      await swarm.docker(
        'run',
        '-d',
        '--name',
        `at-${name}`,
        '-e',
        `constraint:node==${name}`,
        ...publish,
        'nginx',
      );
    const host = hostNamed(from);
    await host.cutLink();
    await logged(swarm, /Container could not be rescheduled.* name=solo .*port 8080\/tcp in use/);
    const taken = await swarm.tryDocker(['create', '--name', 'solo', ...SLEEP]);
    expect(taken.stderr).toContain('Conflict: The name solo is already');
    const [room, other] = [...hosts].filter((each) => each !== host).map(({ name }) => name);
    await swarm.docker('rm', '-f', `at-${room}`);
    expect(await moved(swarm, 'solo', from)).toBe(room);
    await host.healLink();
    await cleared(swarm, host, []);
    await untilHealthy(swarm);
    expect((await inspect(swarm, 'solo')).Node.Name).toBe(room);
    await swarm.docker('rm', '-f', 'solo', `at-${other}`);
  });

  it('is not one that discovery names no more while its engine answers, but one that does not', async () => {
    await swarm.docker('network', 'create', 'own');
    const id = await swarm.docker('run', '-d', '--name', 'left', '--net', 'own', ...MOVES, ...SLEEP);
    const from = (await inspect(swarm, 'left')).Node.Name;
    const host = hostNamed(from);
    tellDiscovery(host);
    await until('the engine to be seen alive', PATIENCE_MS, () =>
      swarm.log().includes('Engine left the pool alive') ? true : undefined,
    );
    expect(await listed(swarm, '-a')).toEqual([]);
    expect(await host.docker('ps', '-q', '--no-trunc')).toBe(id);
    tellDiscovery();
    await untilHealthy(swarm);
    expect((await inspect(swarm, 'left')).Id).toBe(id);

    await host.cutLink();
    tellDiscovery(host);
    await moved(swarm, 'left', from);
    expect(Object.keys((await inspect(swarm, 'left')).NetworkSettings.Networks)).toEqual(['own']);
    await host.healLink();
    tellDiscovery();
    await cleared(swarm, host, []);
    await untilHealthy(swarm);
    await swarm.docker('rm', '-f', 'left');
    await swarm.docker('network', 'rm', 'own');
  });
});
