import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerClis, startHosts, type Hosts } from '../hosts/index.ts';
import { cliAt } from './cli.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call } from './raw.ts';

let hosts: Hosts;
let swarm: Swarm;

beforeAll(async () => {
  hosts = await startHosts({
    count: 2,
    engine: ['20.10', '28.5'],
    labels: [{ tier: 'front', zone: 'a' }, {}],
  });
  swarm = await startSwarm(hosts);
  const on = ['-e', 'constraint:node==core-01'];
  await swarm.docker('run', '-d', '--name', 'one', ...on, '-m', '64m', '-c', '1', 'busybox', 'sleep', '1000');
  await swarm.docker('run', '-d', '--name', 'two', ...on, 'busybox', 'sleep', '1000');
  await swarm.docker('pause', 'two');
  await swarm.docker('create', '--name', 'three', ...on, '--cpus', '0.25', 'busybox');
}, 120_000);

afterAll(async () => {
  await swarm?.stop();
  await hosts?.close();
}, 60_000);

/** Puts a word in the place of what is another on every machine. */
function masked(text: string): string {
  return text
    .replaceAll(hosts.at(0).engineId, 'ID-1')
    .replaceAll(hosts.at(1).engineId, 'ID-2')
    .replaceAll(hosts.at(0).ip, 'IP-1')
    .replaceAll(hosts.at(1).ip, 'IP-2')
    .replaceAll(hosts.at(0).engineVersion, '20.10.X')
    .replaceAll(hosts.at(1).engineVersion, '28.5.X')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
    .replace(/(Reserved CPUs: [\d.]+ \/) [\d.]+/g, '$1 N')
    .replace(/(Reserved Memory: \S+ \S+ \/) [\d.]+ \wiB/g, '$1 N')
    .replace(/kernelversion=[^,\n]+/g, 'kernelversion=K')
    .replace(/operatingsystem=[^,\n]+/g, 'operatingsystem=OS')
    .replace(/storagedriver=[^,\n]+/g, 'storagedriver=SD');
}

const CLUSTER = `Role: primary
Strategy: spread
Filters: health, port, containerslots, dependency, affinity, constraint, whitelist
Nodes: 2
 core-01: IP-1:2375
  └ ID: ID-1
  └ Status: Healthy
  └ Containers: 3 (1 Running, 1 Paused, 1 Stopped)
  └ Reserved CPUs: 1.25 / N
  └ Reserved Memory: 64 MiB / N
  └ Labels: kernelversion=K, operatingsystem=OS, ostype=linux, storagedriver=SD, tier=front, zone=a
  └ Error: (none)
  └ UpdatedAt: TIME
  └ ServerVersion: 20.10.X
 core-02: IP-2:2375
  └ ID: ID-2
  └ Status: Healthy
  └ Containers: 0 (0 Running, 0 Paused, 0 Stopped)
  └ Reserved CPUs: 0 / N
  └ Reserved Memory: 0 B / N
  └ Labels: kernelversion=K, operatingsystem=OS, ostype=linux, storagedriver=SD
  └ Error: (none)
  └ UpdatedAt: TIME
  └ ServerVersion: 28.5.X
`;

describe.each(await dockerClis())('docker CLI $version', (which) => {
  it('shows the cluster and warns of nothing', async () => {
    const { code, stdout, stderr } = await cliAt(swarm.host, which).try(['info']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).not.toContain('WARNING');
    const text = masked(stdout).replace(/^ /gm, '');
    expect(text).toContain('Containers: 3\n Running: 1\n Paused: 1\n Stopped: 1\n');
    expect(text).toMatch(/^Server Version: swarm\/\d/m);
    expect(text).toContain(CLUSTER);
  });

  it('shows every field of the version', async () => {
    const docker = cliAt(swarm.host, which);
    const { code, stdout, stderr } = await docker.try(['version']);
    expect([code, stderr]).toEqual([0, '']);
    const server = stdout.slice(stdout.indexOf('\nServer'));
    const fields = [...server.matchAll(/^ {2,3}(\w[\w/ ]*):[ \t]*(.*)$/gm)].map(([, key, value]) => [
      key,
      value,
    ]);
    expect(fields.map(([key]) => key)).toEqual(
      expect.arrayContaining([
        'Version',
        'API version',
        'Go version',
        'Git commit',
        'Built',
        'OS/Arch',
      ]) as string[],
    );
    for (const [key, value] of fields)
      expect([key, value]).toEqual([key, expect.stringMatching(/\S/) as string]);
    const all = JSON.parse(await docker('version', '--format', '{{json .Server}}')) as Record<
      string,
      unknown
    >;
    for (const key of [
      'Version',
      'ApiVersion',
      'MinAPIVersion',
      'GitCommit',
      'GoVersion',
      'Os',
      'Arch',
      'KernelVersion',
      'BuildTime',
    ])
      expect([key, all[key]]).toEqual([key, expect.stringMatching(/\S/) as string]);
    expect(Date.parse(String(all['BuildTime']))).toBeGreaterThan(0);
  });
});

describe('info', () => {
  it('adds up what the engines have, and the overcommit', async () => {
    const total = { cores: 0, memory: 0, images: 0 };
    for (const host of hosts) {
      const info = await call(`http://${host.address}`, 'GET', '/info');
      const { NCPU, MemTotal, Images } = info.json<{ NCPU: number; MemTotal: number; Images: number }>();
      total.cores += NCPU * 1.05;
      total.memory += Math.floor(MemTotal * 1.05);
      total.images += Images;
    }
    const ours = (await call(swarm.url, 'GET', '/info')).json<Record<string, unknown>>();
    expect(ours).toMatchObject({
      NCPU: Math.floor(total.cores),
      MemTotal: total.memory,
      Images: total.images,
      Containers: 3,
      ContainersRunning: 1,
      ContainersPaused: 1,
      ContainersStopped: 1,
      MemoryLimit: true,
      IPv4Forwarding: true,
      OSType: 'linux',
    });
    expect(ours['ServerVersion']).toMatch(/^swarm\//);
  });

  it('follows every change at once', async () => {
    const states = async (): Promise<unknown> => {
      const info = await call(swarm.url, 'GET', '/info');
      const { ContainersRunning, ContainersPaused, ContainersStopped } = info.json<Record<string, number>>();
      return [ContainersRunning, ContainersPaused, ContainersStopped];
    };
    await swarm.docker('unpause', 'two');
    expect(await states()).toEqual([2, 0, 1]);
    await swarm.docker('start', '-a', 'three');
    expect(await states()).toEqual([2, 0, 1]);
    await swarm.docker('kill', 'two');
    expect(await states()).toEqual([1, 0, 2]);
    await swarm.docker('start', 'two');
    await swarm.docker('pause', 'two');
    expect(await states()).toEqual([1, 1, 1]);
  });
});
