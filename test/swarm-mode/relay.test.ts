import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHosts, until, tryRun, type Hosts } from '../hosts/index.ts';
import { systemd } from '../image/units.ts';
import { Swarmd } from './swarmd.ts';

/** Swarmd in no swarm. */
let hosts: Hosts;
let swarmd: Swarmd;
beforeAll(async () => {
  hosts = await startHosts({ count: 1 });
  swarmd = await new Swarmd(hosts.at(0)).start();
});
afterAll(async () => {
  await swarmd?.kill();
  await hosts?.close();
});

test('it is the engine, streams included', async () => {
  expect(await swarmd.docker('run', '--rm', 'busybox', 'echo', 'hello')).toBe('hello');
  const piped = await swarmd.tryDocker(['run', '-i', '--rm', 'busybox', 'cat'], { input: 'through' });
  expect(piped.stdout).toBe('through');
  const built = await swarmd.tryDocker(['build', '-q', '-'], {
    input: 'FROM busybox\nRUN echo built > /it\n',
  });
  expect(built).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sha256:/) as string });
  const shown = await swarmd.docker('info', '--format', '{{.Swarm.LocalNodeState}} {{.Name}}');
  expect(shown).toBe(`inactive ${hosts.at(0).name}`);
  const nodes = await swarmd.tryDocker(['node', 'ls']);
  expect(nodes.stderr).toContain('This node is not a swarm manager.');
});

test('systemd can open its socket, and start it at the first client', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-activation-'));
  const path = join(folder, 'docker.sock');
  const { folder: units, env } = await systemd();
  const activate = spawn(
    join(units, 'usr/bin/systemd-socket-activate'),
    [
      ...['-l', path, fileURLToPath(new URL('../../bin/swarmd', import.meta.url))],
      ...['-H', 'fd://', '--state-dir', join(folder, 'state'), '--engine', `unix://${hosts.at(0).socket}`],
    ],
    { stdio: 'ignore', env: { ...process.env, ...env } },
  );
  try {
    await until('the socket', 10_000, () => existsSync(path) || undefined);
    const DOCKER_HOST = `unix://${path}`;
    const { stdout } = await tryRun('/usr/bin/docker', ['info', '--format', '{{.Name}}'], {
      env: { DOCKER_HOST },
    });
    expect(stdout.trim()).toBe(hosts.at(0).name);
  } finally {
    activate.kill('SIGTERM');
    if (activate.exitCode === null && activate.signalCode === null) await once(activate, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
});

test('with the engine down it says so in words of Docker', async () => {
  await hosts.at(0).stop();
  const ps = await swarmd.tryDocker(['ps']);
  expect(ps.stderr).toContain('Cannot connect to the Docker daemon');
  const nodes = await swarmd.tryDocker(['node', 'ls']);
  expect(nodes.stderr).toContain(
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join"',
  );
  await hosts.at(0).start();
  expect(await swarmd.docker('ps', '-q')).toBe('');
});
