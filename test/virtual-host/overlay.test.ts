import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureComposeV2, noDockerConfig, run, startHosts, until, type Hosts } from '../hosts/index.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call } from './raw.ts';

let etcd: Etcd | undefined;
let hosts: Hosts;
/** Two managers over the same engines: core-01 and core-02 share networks, core-03 can not. */
let swarm: Swarm;
let second: Swarm;
const root = mkdtempSync(join(tmpdir(), 'skep-overlay-'));

beforeAll(async () => {
  // Engines wait three seconds for their store; a disk that is busy with something else takes longer.
  process.env['ETCD_UNSAFE_NO_FSYNC'] = 'true';
  hosts = await startHosts({
    count: 3,
    engine: ['20.10', '20.10', '28.5'],
    clusterStore: async (listen) => {
      etcd = await startEtcd({ version: '3.5', enableV2: true, listen });
      return `etcd://${etcd.endpoint}`;
    },
  });
  swarm = await startSwarm(hosts);
  second = await startSwarm(hosts);
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await second?.stop();
  await hosts?.close();
  await etcd?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
}, 60_000);

const FAR_FILE = `version: "3.8"
services:
  web:
    image: nginx
    environment: ["constraint:node==core-01"]
  app:
    image: busybox
    command: sleep 1000
    depends_on: [web]
    environment: ["constraint:node==core-02"]
    networks: [default, back]
networks:
  back: { driver: overlay }
`;

const on = (node: string): string[] => ['-e', `constraint:node==${node}`];
const SLEEP = ['busybox', 'sleep', '1000'];

async function names(manager = swarm): Promise<string[]> {
  return (await manager.docker('network', 'ls', '--format', '{{.Name}} {{.Scope}}')).split('\n');
}

/** The page of a container by its name, asked for from another one. */
function fetchPage(from: string, name: string): Promise<string> {
  return until(`the page of ${name} at ${from}`, 20_000, () =>
    swarm.docker('exec', from, 'timeout', '5', 'wget', '-qO-', `http://${name}`),
  );
}

interface Inspected {
  Name: string;
  Containers: Record<string, { Name: string }>;
}

async function inspected(network: string): Promise<Inspected> {
  return (await call(swarm.url, 'GET', `/networks/${network}`)).json<Inspected>();
}

async function members(network: string): Promise<string[]> {
  const { Containers } = await inspected(network);
  return Object.values(Containers).map(({ Name }) => Name);
}

describe('a network across hosts', () => {
  it('is made once, is on every node that shares it, and carries names and pages', async () => {
    await swarm.docker('network', 'create', '--driver', 'overlay', '--label', 'team=a', 'my-net');
    for (const manager of [swarm, second]) {
      await until('the network in the list', 10_000, async () =>
        (await names(manager)).includes('my-net global') ? true : undefined,
      );
      expect((await names(manager)).filter((name) => name.includes('my-net'))).toEqual(['my-net global']);
      expect(await names(manager)).toContain('core-02/bridge local');
    }
    const again = await second.tryDocker(['network', 'create', '--driver', 'overlay', 'my-net']);
    expect(again.stderr).toContain('network with name my-net already exists');

    const web = await swarm.docker(
      'run',
      '-d',
      '--name',
      'web',
      '--net',
      'my-net',
      ...on('core-01'),
      'nginx',
    );
    const app = await second.docker(
      'run',
      '-d',
      '--name',
      'app',
      '--net',
      'my-net',
      ...on('core-02'),
      ...SLEEP,
    );
    await until('both managers to know app', 10_000, async () =>
      (await swarm.docker('ps', '-q', '--filter', 'name=app')) === '' ? undefined : true,
    );
    expect(await fetchPage('app', 'web')).toContain('nginx');
    const { Name, Containers } = await inspected('my-net');
    expect([Name, ...Object.keys(Containers).sort()]).toEqual(['my-net', ...[web, app].sort()]);
  });

  it('takes containers of the nodes that share it only', async () => {
    const refused = await swarm.tryDocker(['create', '--net', 'my-net', ...on('core-03'), 'busybox']);
    expect(refused.stderr).toContain('network: network my-net is on core-01, core-02: core-03');
    const hosted = await Promise.all(
      [1, 2, 3, 4].map((at) => swarm.docker('create', '--name', `free-${at}`, '--net', 'my-net', 'busybox')),
    );
    const where = await swarm.docker('ps', '-a', '--format', '{{.Names}}', '--filter', 'name=free');
    expect(new Set(where.split('\n').map((name) => name.split('/')[0]))).toEqual(
      new Set(['core-01', 'core-02']),
    );
    await swarm.docker('rm', ...hosted);
  });

  it('is connected wherever the container is, if its engine can have it', async () => {
    await swarm.docker('network', 'create', '--driver', 'overlay', 'more-net');
    await swarm.docker('network', 'connect', '--alias', 'other', 'more-net', 'core-02/app');
    expect(await members('more-net')).toEqual(['app']);
    const far = await swarm.docker('run', '-d', ...on('core-03'), ...SLEEP);
    const refused = await swarm.tryDocker(['network', 'connect', 'more-net', far]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/more-net is shared by core-0\d.*, and node core-03 can't have it/),
    ]);
    await swarm.docker('rm', '-f', far);
  });

  it('made or removed at an engine is seen on all', async () => {
    const isListed = (manager: Swarm, wanted: boolean): Promise<true> =>
      until(`direct listed: ${wanted}`, 10_000, async () =>
        (await names(manager)).includes('direct global') === wanted ? true : undefined,
      );
    await hosts.at(1).docker('network', 'create', '-d', 'overlay', 'direct');
    await isListed(swarm, true);
    await swarm.docker('create', '--name', 'there', '--net', 'direct', ...on('core-01'), 'busybox');
    await swarm.docker('rm', 'there');
    await hosts.at(0).docker('network', 'rm', 'direct');
    await isListed(swarm, false);
    await isListed(second, false);
  });
});

describe('Compose', () => {
  it(
    'joins services of two hosts on its default network, and leaves nothing, twice',
    { timeout: 240_000 },
    async () => {
      const programs = { far: 'docker-compose', wide: (await ensureComposeV2()).path };
      const env = { DOCKER_HOST: swarm.host, DOCKER_CONFIG: noDockerConfig };
      const projects = Object.entries(programs).map(([name, program]) => {
        const folder = join(root, name);
        mkdirSync(folder);
        writeFileSync(join(folder, 'docker-compose.yml'), FAR_FILE);
        const compose = (...args: string[]): Promise<string> =>
          run(program, ['-p', name, ...args], { cwd: folder, env });
        return { name, compose };
      });
      const both = (await names()).filter((name) => name.endsWith(' global'));
      for (const { name, compose } of projects) {
        await compose('up', '-d', '--scale', 'web=2');
        expect(await names()).toEqual(
          expect.arrayContaining([`${name}_back global`, `${name}_default global`]),
        );
        // An engine that has ended an overlay network may lose its way in later ones: pages are asked for before.
        await until('the page from the other host', 30_000, () =>
          compose('exec', '-T', 'app', 'timeout', '5', 'wget', '-qO-', 'http://web'),
        );
      }
      for (const { compose } of projects) await compose('down', '-t', '0');
      for (const { name, compose } of projects) {
        await compose('up', '-d');
        expect((await compose('ps', '-q')).split('\n')).toHaveLength(2);
        await compose('down', '-t', '0');
        expect((await names()).filter((one) => one.startsWith(name))).toEqual([]);
      }
      expect((await names()).filter((name) => name.endsWith(' global'))).toEqual(both);
    },
  );
});

describe('a host that is lost', () => {
  it('leaves its networks to the others: its containers can be taken off, the network removed', async () => {
    const quick = ['--engine-refresh-min-interval', '1s', '--engine-refresh-max-interval', '2s'];
    await using manager = await startSwarm(hosts, { args: [...quick, '--engine-failure-retry', '2'] });
    await manager.docker('network', 'disconnect', 'more-net', 'app');
    const networks = await manager.docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', 'app');
    expect(Object.keys(JSON.parse(networks) as object)).toEqual(['my-net']);
    await hosts.at(1).powerOff();
    await until('the node Unhealthy', 30_000, async () =>
      (await manager.docker('info')).includes('Status: Unhealthy') ? true : undefined,
    );
    expect(await names(manager)).toContain('my-net global');
    await manager.docker('network', 'disconnect', '-f', 'my-net', 'app');
    await manager.docker('rm', '-f', 'web');
    await manager.docker('network', 'rm', 'my-net');
    expect(await names(manager)).not.toContain('my-net global');
  });
});
