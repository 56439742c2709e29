import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { findCommand, parsedFlags } from '../../src/cli/commands.ts';
import { parseFlags } from '../../src/base/flags.ts';
import { FLAGS } from '../../src/daemon/flags.ts';
import { daemonOptions } from '../../src/daemon/options.ts';
import { ensureEngine, run, tryRun } from '../hosts/index.ts';
import { assignments, commandLine, packaging, settings, systemd } from './units.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A disk with these files and folders of packaging/systemd in place, and all that the units refer to. */
async function diskWith(...installed: readonly string[]): Promise<string> {
  const disk = mkdtempSync(join(tmpdir(), 'skep-units-'));
  folders.push(disk);
  const { folder } = await systemd();
  const units = join(disk, 'etc/systemd/system');
  cpSync(join(folder, 'lib/systemd/system'), join(disk, 'lib/systemd/system'), {
    recursive: true,
    verbatimSymlinks: true,
  });
  for (const name of installed) cpSync(join(packaging, name), join(units, name), { recursive: true });
  for (const program of ['usr/local/bin/swarm', 'usr/local/bin/swarmd', 'usr/sbin/dockerd', 'bin/kill']) {
    mkdirSync(join(disk, dirname(program)), { recursive: true });
    writeFileSync(join(disk, program), '#!/bin/sh\n', { mode: 0o755 });
  }
  return disk;
}

/** The same with Debian's own units of the engine. */
async function withEngine(disk: string): Promise<string> {
  const debian = dirname(dirname((await ensureEngine('28.5')).binFolders[0] ?? ''));
  for (const unit of ['docker.service', 'docker.socket']) {
    const found = await run('find', [debian, '-name', unit, '-path', '*/systemd/system/*']);
    cpSync(found.split('\n')[0] ?? '', join(disk, 'lib/systemd/system', unit));
  }
  return disk;
}

/** What systemd has to say about a unit of a disk; empty where it is content. */
async function complaints(disk: string, unit: string): Promise<string> {
  const { folder, env } = await systemd();
  const args = ['verify', `--root=${disk}`, '--man=no', '--recursive-errors=no', unit];
  const { code, stdout, stderr } = await tryRun(join(folder, 'usr/bin/systemd-analyze'), args, { env });
  const said = `${stdout}${stderr}`.trim();
  return code === 0 ? said : `exit ${code}: ${said}`;
}

const UNITS = ['swarm-manage', 'swarm-join', 'swarm-discovery'];

test('systemd takes the units, with and without their drop-ins', async () => {
  const bare = await diskWith(...UNITS.map((name) => `${name}.service`));
  for (const name of UNITS) expect(await complaints(bare, `${name}.service`)).toBe('');
  const full = await diskWith(...readdirSync(packaging).filter((name) => name.startsWith('swarm-')));
  expect(await complaints(full, 'swarm-manage.service')).toBe('');
  writeFileSync(join(bare, 'etc/systemd/system/swarm-join.service'), '[Service]\nExecStart=swarms join\n');
  expect(await complaints(bare, 'swarm-join.service')).not.toBe('');
});

test('systemd takes the drop-ins of the engine', async () => {
  const disk = await withEngine(await diskWith('docker.service.d'));
  expect(await complaints(disk, 'docker.service')).toBe('');
});

test('systemd takes swarmd, beside the engine and in its place', async () => {
  const beside = await withEngine(await diskWith('swarmd.service'));
  expect(await complaints(beside, 'swarmd.service')).toBe('');
  const inPlace = await withEngine(
    await diskWith(
      'swarmd.service',
      'swarmd.socket',
      'docker-tcp.socket',
      'swarmd.service.d',
      'docker.socket.d',
    ),
  );
  for (const unit of [
    'swarmd.service',
    'swarmd.socket',
    'docker-tcp.socket',
    'docker.socket',
    'docker.service',
  ])
    expect(await complaints(inPlace, unit)).toBe('');
});

test.each([
  [['swarmd.service'], 'unix:///var/run/docker.sock'],
  [['swarmd.service', 'swarmd.service.d/docker-sock.conf'], 'unix:///run/docker-engine.sock'],
])('swarmd takes the command line of %j', (units, engine) => {
  const [program, ...args] = commandLine(units, ['swarmd']);
  const lines = [...settings(units), ...assignments('swarmd')];
  const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)) as [string, string][]);
  const parsed = parseFlags(FLAGS, args, { env, mixed: true });
  expect(program).toBe('swarmd');
  expect(parsed).toMatchObject({ kind: 'parsed', rest: [] });
  if (parsed.kind === 'parsed') expect(daemonOptions(parsed.values).engine).toMatchObject({ text: engine });
});

test.each([
  ['manage', ['swarm-manage.service']],
  ['manage', ['swarm-manage.service', 'swarm-manage.service.d/tls.conf']],
  ['join', ['swarm-join.service']],
  ['discovery', ['swarm-discovery.service']],
])('swarm %s takes the command line of %j', (name, units) => {
  const [program, word, ...args] = commandLine(units, ['swarm', `swarm-${name}`]);
  const command = findCommand(word ?? '');
  expect([program, command?.name]).toEqual(['swarm', name]);
  if (command === undefined) return;
  const variables = [...assignments('swarm'), ...assignments(`swarm-${name}`)];
  const env = Object.fromEntries(
    variables.map((line) => line.split(/=(.*)/s).slice(0, 2)) as [string, string][],
  );
  expect(parseFlags(parsedFlags(command), args, { env, mixed: true })).toMatchObject({
    kind: 'parsed',
    rest: [],
  });
});

test.each([
  ['20.10', ['20-tls.conf', '30-cluster-store.conf']],
  ['20.10', ['20-plain.conf']],
  ['28.5', ['20-tls.conf']],
  ['28.5', ['20-plain.conf']],
] as const)('engine %s takes the options of %j', async (version, extra) => {
  const dropIns = ['10-swarm.conf', ...extra].map((name) => `docker.service.d/${name}`);
  const [program, ...args] = commandLine(dropIns, ['swarm-engine']);
  expect(program).toBe('dockerd');
  expect(args).toEqual(expect.arrayContaining(['fd://', 'tcp://0.0.0.0:2376', '--label=zone=a']));
  const { binFolders } = await ensureEngine(version);
  const dockerd = binFolders[0] === undefined ? '/usr/sbin/dockerd' : join(binFolders[0], 'dockerd');
  // Options are read before help is shown: an unknown one is named instead.
  const help = async (...more: string[]): Promise<string> => {
    const { stdout, stderr } = await tryRun(dockerd, [...args, ...more, '--help']);
    return stdout + stderr;
  };
  expect(await help()).toContain('--tlsverify');
  expect(await help()).not.toContain('unknown flag');
  expect(await help('--no-such-option')).toContain('unknown flag');
});
