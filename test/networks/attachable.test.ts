import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureComposeV2, noDockerConfig, run, type Host } from '../hosts/index.ts';
import { eventually, ServiceSwarm } from '../swarm-mode/services/service-swarm.ts';
import { nameTests } from './names.ts';

/** Containers that are no tasks, on networks of the swarm: a manager's host, and plain workers of both versions. */
let swarm: ServiceSwarm;
let compose = '';
const folder = mkdtempSync(join(tmpdir(), 'attachable-'));

beforeAll(async () => {
  [swarm, { path: compose }] = await Promise.all([ServiceSwarm.start(), ensureComposeV2()]);
  await swarm.docker(
    'network',
    'create',
    '-d',
    'overlay',
    '--attachable',
    '--subnet',
    '10.61.0.0/24',
    'open',
  );
  await swarm.docker('network', 'create', '-d', 'overlay', 'services');
}, 120_000);
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await swarm?.[Symbol.asyncDispose]();
});

const SLEEP = ['busybox', 'sleep', '1000'];

async function refused(host: Host, ...args: string[]): Promise<string> {
  const { code, stderr } = await host.tryDocker(...args);
  expect(code).not.toBe(0);
  return stderr;
}

/** Waits until a container reaches a name: engines tell one another of their containers. */
function reaches(host: Host, container: string, name: string): Promise<true> {
  return eventually(`${container} on ${host.name} reaches ${name}`, async () => {
    const { code } = await host.tryDocker('exec', container, 'ping', '-c', '1', '-W', '2', name);
    return code === 0 || undefined;
  });
}

async function attachments(): Promise<number> {
  const { stdout } = await swarm.swarmd.tryDocker([
    'network',
    'inspect',
    '-v',
    'open',
    '--format',
    '{{json .Services}}',
  ]);
  const { '': plain } = JSON.parse(stdout || '{}') as { '': { Tasks: unknown[] } | undefined };
  return plain?.Tasks.length ?? 0;
}

describe('a name', () => nameTests(() => swarm));

describe('any host', { timeout: 90_000 }, () => {
  test('runs containers on it, which reach one another by name, alias and address', async () => {
    const [here, old, today] = [swarm.hosts.at(0), swarm.hosts.at(1), swarm.hosts.at(2)];
    // The first of a network one after the other: engines that come at the same moment may wait 30 s for each other.
    await swarm.docker('run', '-d', '--name', 'on-manager', '--network', 'open', ...SLEEP);
    await old.docker(
      'run',
      '-d',
      '--name',
      'on-old',
      '--network',
      'open',
      '--network-alias',
      'other',
      ...SLEEP,
    );
    const own = ['--ip', '10.61.0.77', '--mac-address', '02:42:0a:3d:00:aa'];
    await today.docker('run', '-d', '--name', 'on-today', '--network', 'open', ...own, ...SLEEP);
    await old.docker('run', '-d', '--name', 'late', ...SLEEP);
    await old.docker('network', 'connect', '--alias', 'second', 'open', 'late');
    for (const name of ['on-old', 'other', 'on-today', 'late', 'second'])
      await reaches(here, 'on-manager', name);
    for (const name of ['on-manager', 'on-today', 'second']) await reaches(old, 'on-old', name);
    for (const name of ['on-manager', 'other', 'late']) await reaches(today, 'on-today', name);
    const shown =
      '{{.NetworkSettings.Networks.open.IPAddress}} {{.NetworkSettings.Networks.open.MacAddress}}';
    expect(await today.docker('inspect', '--format', shown, 'on-today')).toBe('10.61.0.77 02:42:0a:3d:00:aa');
    const listed = await today.docker(
      'network',
      'inspect',
      '--format',
      '{{range .Containers}}{{.Name}} {{end}}',
      'open',
    );
    expect(listed).toContain('on-today');
  });

  test('is told why it can not', async () => {
    const eachIsTold = async (host: Host): Promise<void> => {
      expect(await refused(host, 'run', '--rm', '--network', 'services', 'busybox')).toContain(
        'Could not attach to network services: rpc error: code = PermissionDenied desc = network services not manually attachable',
      );
      expect(await refused(host, 'run', '--rm', '--network', 'nowhere', 'busybox')).toContain(
        'code = NotFound desc = network nowhere not found',
      );
      const taken = await refused(host, 'run', '--rm', '--network', 'open', '--ip', '10.61.0.77', 'busybox');
      expect(taken).toMatch(/Address already in use: 10\.61\.0\.77 of network open belongs to task \w{25}/);
    };
    await Promise.all(swarm.hosts.all.map(eachIsTold));
    expect(await swarm.refused('network', 'rm', 'open')).toMatch(/network \w{25} is in use by task \w{25}/);
    await eventually('no task of a service is left there, and no container is told of as one', async () => {
      return (await swarm.docker('node', 'ps', swarm.hosts.at(2).name, '-q')) === '' || undefined;
    });
  });

  test('keeps a fixed address over a restart, and gives back what it does not need', async () => {
    const today = swarm.hosts.at(2);
    await today.docker('restart', '-t', '0', 'on-today');
    await reaches(today, 'on-today', 'on-manager');
    await swarm.hosts.at(1).docker('network', 'disconnect', 'open', 'late');
    await eventually('three are left', async () => (await attachments()) === 3 || undefined);
    await today.docker('rm', '-f', 'on-today');
    await swarm.docker('run', '--rm', '--network', 'open', '--ip', '10.61.0.77', 'busybox', 'true');
  });

  test('takes a project of Compose with an external network', async () => {
    const [old, today] = [swarm.hosts.at(1), swarm.hosts.at(2)];
    const file = join(folder, 'compose.yaml');
    const own = [
      'services:',
      '  web:',
      '    image: nginx',
      '    networks: [open]',
      'networks:',
      '  open:',
      '    external: true',
    ];
    writeFileSync(file, own.join('\n'));
    const project = (host: Host, ...args: string[]): Promise<string> =>
      run(compose, ['-p', 'shop', '-f', file, ...args], {
        env: { DOCKER_CONFIG: noDockerConfig, DOCKER_HOST: `unix://${host.socket}` },
      });
    await project(today, 'up', '-d');
    await reaches(old, 'on-old', 'web');
    await reaches(today, 'shop-web-1', 'on-old');
    await project(today, 'down', '-t', '0');
  });

  test('that fails leaves nothing when it comes back, or is removed', async () => {
    const [old, today] = [swarm.hosts.at(1), swarm.hosts.at(2)];
    await today.docker('run', '-d', '--name', 'again', '--restart', 'always', '--network', 'open', ...SLEEP);
    await today.kill();
    await today.start();
    await reaches(today, 'again', 'on-old');
    await eventually('its former place is gone', async () => {
      return (await attachments()) === 3 || undefined;
    });
    await today.docker('swarm', 'leave', '--force');
    await swarm.docker('node', 'rm', '--force', today.name);
    await swarm.docker('rm', '-f', 'on-manager');
    await old.docker('rm', '-f', 'on-old', 'late');
    await eventually('the network can be removed', async () => {
      return (await swarm.swarmd.tryDocker(['network', 'rm', 'open'])).code === 0 || undefined;
    });
  });
});
