import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startHosts, until, type CommandResult, type Host, type Hosts } from '../hosts/index.ts';
import { Swarmd } from './swarmd.ts';

/** One manager with Docker's client, from a swarm that begins locked on. Each test goes on from the former. */
let hosts: Hosts;
let host: Host;
let swarmd: Swarmd;
let key = '';
let container = '';

const SECRET = 'nobody reads these words at rest';
const LATEST_MS = 30_000;
const KEY = /SWMKEY-1-[A-Za-z0-9+/]{43}/;

beforeAll(async () => {
  hosts = await startHosts({
    count: 1,
    engine: ['20.10'],
    dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
  });
  host = hosts.at(0);
  swarmd = await new Swarmd(host).start();
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarmd.log.slice(-4000));
});
afterAll(async () => {
  await swarmd?.kill();
  await hosts?.close();
});

const state = (): Promise<string> => swarmd.docker('info', '--format', '{{.Swarm.LocalNodeState}}');
const unlock = (given: string): Promise<CommandResult> =>
  swarmd.tryDocker(['swarm', 'unlock'], { input: `${given}\n` });
const running = (): Promise<string> =>
  host.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=web');

/** All that swarmd keeps, and what it said. */
function kept(): string {
  const folder = swarmd.stateDirHere;
  const files = readdirSync(folder).filter((name) => statSync(join(folder, name)).isFile());
  return [...files.map((name) => readFileSync(join(folder, name), 'latin1')), swarmd.log].join('\n');
}

function keyIn(said: string): string {
  return KEY.exec(said)?.[0] ?? expect.fail(said);
}

function expectSealed(): void {
  const all = kept();
  const worker = /"Worker":"(SWMTKN[^"]+)"/.exec(all);
  for (const words of [
    SECRET,
    'PRIVATE KEY',
    'SWMKEY',
    key,
    Buffer.from(key.slice(9), 'base64').toString('latin1'),
  ])
    expect(all).not.toContain(words);
  expect(worker).toBeNull();
}

test('init says the key, and nothing that is kept can be read', async () => {
  const said = await swarmd.docker('swarm', 'init', '--autolock', '--advertise-addr', host.ip);
  expect(said).toContain('run the `docker swarm unlock`');
  key = keyIn(said);
  expect(await swarmd.docker('swarm', 'unlock-key', '-q')).toBe(key);
  const made = await swarmd.tryDocker(['secret', 'create', 'words', '-'], { input: SECRET });
  expect(made).toMatchObject({ code: 0 });
  await swarmd.docker(
    'service',
    'create',
    '--name',
    'web',
    '--secret',
    'words',
    '--env',
    `SAID=${SECRET}`,
    'nginx',
  );
  container = await running();
  expect(container).not.toBe('');
  expectSealed();
  expect((await unlock(key)).stderr).toContain('swarm is not locked');
});

test('a manager that was killed is locked; containers go on; the key opens it, and nothing is made anew', async () => {
  await swarmd.kill();
  await swarmd.start();
  expect(await state()).toBe('locked');
  expect(await swarmd.docker('info')).toContain('Swarm: locked');
  for (const command of [
    ['node', 'ls'],
    ['service', 'ls'],
    ['swarm', 'unlock-key'],
    ['secret', 'create', 'other', '/etc/hostname'],
  ])
    expect((await swarmd.tryDocker(command)).stderr).toContain(
      'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.',
    );
  expect(await running()).toBe(container);
  expect(await swarmd.docker('ps', '-q')).toBe(container);
  expect((await unlock('nonsense')).stderr).toContain('invalid key string');
  expect((await unlock(`SWMKEY-1-${'A'.repeat(43)}`)).stderr).toContain(
    'swarm could not be unlocked: invalid key provided',
  );
  expect(await state()).toBe('locked');
  expect(await unlock(key)).toMatchObject({ code: 0, stderr: '' });
  expect(await swarmd.docker('service', 'ls', '--format', '{{.Name}} {{.Replicas}}')).toBe('web 1/1');
  await until('its node is ready', LATEST_MS, async () => {
    const rows = await swarmd.docker('node', 'ls', '--format', '{{.Status}} {{.ManagerStatus}}');
    return rows === 'Ready Leader' || undefined;
  });
  expect(await running()).toBe(container);
  expectSealed();
});

test('a rotated key opens it, the former one no more', async () => {
  const former = key;
  const said = await swarmd.docker('swarm', 'unlock-key', '--rotate');
  expect(said).toContain('Successfully rotated manager unlock key.');
  key = keyIn(said);
  expect(key).not.toBe(former);
  await swarmd.restart();
  expect((await unlock(former)).stderr).toContain('invalid key provided');
  expect(await unlock(key)).toMatchObject({ code: 0 });
  expectSealed();
});

test('without autolock it starts by itself again, and with it later nothing of that time is left', async () => {
  expect(await swarmd.docker('swarm', 'update', '--autolock=false')).toBe('Swarm updated.');
  expect((await swarmd.tryDocker(['swarm', 'unlock-key'])).stderr).toContain('no unlock key is set');
  await swarmd.restart();
  expect(await state()).toBe('active');
  for (const words of [SECRET, 'PRIVATE KEY']) expect(kept()).toContain(words);
  const said = await swarmd.docker('swarm', 'update', '--autolock=true');
  expect(keyIn(said)).not.toBe(key);
  key = keyIn(said);
  expectSealed();
});

test('a backup of a locked manager opens with its key; leaving by force forgets it', async () => {
  await swarmd.kill();
  await swarmd.start();
  const backup = join(swarmd.stateDir, '..', 'backup');
  expect(await swarmd.command('backup', backup)).toMatchObject({ code: 0 });
  await swarmd.stop();
  const other = new Swarmd(host, { state: 'restored' });
  expect(await other.command('restore', backup)).toMatchObject({ code: 0 });
  await other.start();
  try {
    expect(await other.docker('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('locked');
    const input = `${key}\n`;
    expect(await other.tryDocker(['swarm', 'unlock'], { input })).toMatchObject({ code: 0 });
    expect(await other.docker('secret', 'ls', '--format', '{{.Name}}')).toBe('words');
  } finally {
    await other.kill();
  }
  await swarmd.start();
  expect((await swarmd.tryDocker(['swarm', 'leave'])).stderr).toContain('Swarm is encrypted and locked.');
  expect(await swarmd.docker('swarm', 'leave', '--force')).toBe('Node left the swarm.');
  expect(await state()).toBe('inactive');
  await swarmd.docker('swarm', 'init', '--advertise-addr', host.ip);
  expect(await state()).toBe('active');
});
