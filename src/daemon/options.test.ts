import { expect, test } from 'vitest';
import { parseFlags } from '../base/flags.ts';
import { activatedSockets } from './activation.ts';
import { FLAGS } from './flags.ts';
import { daemonOptions, type DaemonOptions } from './options.ts';
import { runSwarmd, type Surroundings } from './run.ts';

function options(args: string[], env: NodeJS.ProcessEnv = {}): DaemonOptions {
  const parsed = parseFlags(FLAGS, args, { env, mixed: true });
  if (parsed.kind === 'wrong') throw new Error(parsed.message);
  return daemonOptions(parsed.values);
}

test('without a word: its own socket, the engine at its usual one, SQLite', () => {
  expect(options([])).toEqual({
    listen: [{ kind: 'unix', path: '/run/swarmd.sock' }],
    activated: false,
    open: false,
    engine: { kind: 'unix', path: '/var/run/docker.sock', text: 'unix:///var/run/docker.sock' },
    store: { kind: 'sqlite' },
    storeMember: 'auto',
    stateDir: '/var/lib/swarmd',
    balancer: 'auto',
  });
});

test('flags go before variables; an address is listened on once', () => {
  const env = { SWARMD_ENGINE: 'unix:///a.sock', SWARMD_STATE_DIR: '/b', SWARMD_HOST: 'fd://' };
  expect(options(['--engine', 'unix:///c.sock', '--dispatcher-heartbeat=2s'], env)).toMatchObject({
    listen: [],
    activated: true,
    engine: { path: '/c.sock' },
    stateDir: '/b',
    heartbeatNs: 2_000_000_000,
  });
  const twice = ['-H', 'tcp://127.0.0.1:2375', '-H', '127.0.0.1:2375', '-H', 'unix:///x.sock'];
  expect(options(twice).listen).toHaveLength(2);
});

test.each([
  [['-H', 'tcp://0.0.0.0:2375'], 'without TLS they would be root on this host'],
  [['-H', ':2375'], 'use --tlsverify'],
  [['-H', 'ssh://x'], 'unsupported protocol: "ssh"'],
  [['--tlsverify'], '--tlscert and --tlskey must be provided'],
  [['--tlscert', 'x'], 'require the use of either --tls or --tlsverify'],
  [['--engine', 'unix://x'], 'a unix socket needs an absolute path'],
  [['-H', 'unix:///run/docker.sock'], "move the engine's socket"],
  [['--store', 'etcd://'], 'invalid etcd address'],
  [['--store', 'etcd://10.0.0.1', '--store-cert', '/x'], '--store-cert and --store-key come together'],
  [['--store-cacert', '/x'], 'are for --store etcd://'],
  [['--store', 'memory', '--store-member'], '--store-member is for an etcd of the managers’ own'],
  [['--store', 'files'], 'expected sqlite, memory or etcd'],
  [['--dispatcher-heartbeat', '10ms'], 'must be between 1s and 1m'],
  [['--dispatcher-heartbeat', 'often'], 'invalid duration'],
  [['--state-dir='], 'names no folder'],
])('refuses %j', (args, words) => {
  expect(() => options(args)).toThrow(words);
});

test.each([
  [['--store-member'], 'wanted'],
  [['--store-member=false'], 'never'],
  [['--store-member=false', '--store', 'memory'], 'never'],
  [[], 'auto'],
])('%j: its host keeps the state for others: %s', (args, storeMember) => {
  expect(options(args)).toMatchObject({ storeMember });
});

test('--tls=false opens the door that it names', () => {
  expect(options(['--tls=false', '-H', ':2375'])).toMatchObject({ open: true, listen: [{ port: 2375 }] });
});

function world(): Surroundings & { said: string[] } {
  const said: string[] = [];
  const sink = { write: (text: string) => said.push(text) };
  const never = (): Promise<never> => Promise.reject(new Error('not to be called'));
  const copy = async (folder: string, file: string): Promise<string> => `${folder} ${file}`;
  return { env: {}, out: sink, err: sink, serve: never, backup: copy, restore: copy, said };
}

test.each([
  [['--help'], 0, 'Usage: swarmd [OPTIONS]'],
  [['--version'], 0, 'swarmd version'],
  [['--nonsense'], 2, 'flag provided but not defined: -nonsense'],
  [['manage'], 2, 'unknown command "manage"'],
  [['--log-level', 'loud'], 2, 'not a valid log level: "loud"'],
  [['-H', ':1'], 2, 'without TLS'],
  [['backup'], 2, 'takes one argument'],
  [['backup', 'a', 'b'], 2, 'takes one argument'],
  [['--state-dir', '/s', 'backup', 'file'], 0, '/s file'],
  [[], 1, 'not to be called'],
])('swarmd %j ends with %i', async (args, code, words) => {
  const here = world();
  expect(await runSwarmd(args, here)).toBe(code);
  expect(here.said.join('')).toContain(words);
});

test('sockets of systemd are counted from the third descriptor on, and are only for the process they name', () => {
  expect(activatedSockets({ LISTEN_FDS: '2', LISTEN_PID: '7' }, 7)).toEqual([3, 4]);
  for (const env of [{}, { LISTEN_FDS: '0' }, { LISTEN_FDS: 'x' }, { LISTEN_FDS: '1', LISTEN_PID: '8' }])
    expect(() => activatedSockets(env, 7)).toThrow('none were handed over');
});
