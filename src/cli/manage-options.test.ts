import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findCommand, parsedFlags } from './commands.ts';
import { parseFlags } from '../base/flags.ts';
import { manageOptions, type ManageOptions } from './manage-options.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'manage-options-'));
  for (const name of ['a', 'b'])
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
        .concat(['-subj', `/CN=${name}`])
        .concat(['-keyout', join(folder, `${name}-key.pem`), '-out', join(folder, `${name}.pem`)]),
      { stdio: 'ignore' },
    );
  execFileSync(
    'openssl',
    [
      'ec',
      '-in',
      join(folder, 'a-key.pem'),
      '-aes128',
      '-passout',
      'pass:x',
      '-out',
      join(folder, 'enc.pem'),
    ],
    { stdio: 'ignore' },
  );
  writeFileSync(join(folder, 'text.pem'), 'hello\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

function read(args: string[], env: NodeJS.ProcessEnv = {}): ManageOptions {
  const command = findCommand('manage');
  if (!command) throw new Error('no manage');
  const parsed = parseFlags(parsedFlags(command), args, { env, mixed: true });
  if (parsed.kind === 'wrong') throw new Error(parsed.message);
  return manageOptions(parsed.values, parsed.rest, env);
}

const files = (text: string): string[] => text.replaceAll('@', `${folder}/`).split(' ');

test('the defaults', () => {
  expect(read(['a'])).toEqual({
    discovery: { scheme: 'nodes', rest: 'a' },
    store: {},
    heartbeatMs: 60_000,
    hosts: [{ kind: 'tcp', host: '127.0.0.1', port: 2375 }],
    strategy: 'spread',
    filters: ['health', 'port', 'containerslots', 'dependency', 'affinity', 'constraint', 'whitelist'],
    clusterOpts: { overcommit: 0.05, createRetry: 0 },
    engineRefreshMinMs: 30_000,
    engineRefreshMaxMs: 60_000,
    engineFailureRetry: 3,
    cors: false,
    refreshOnNodeFilter: false,
    containerNameRefreshFilter: '',
    warnings: [],
  });
});

test('everything given', () => {
  const args =
    '--strategy=binpack -f port --filter health -H :1 --host unix:///s a,b --replication-ttl 1m30s --addr h:1 ' +
    '--engine-refresh-min-interval 1s -engine-refresh-max-interval 1.5h --engine-failure-retry 5 ' +
    '--engine-refresh-retry 3 --heartbeat 10s --cors -c swarm --cluster-opt swarm.overcommit=0.5 ' +
    '--cluster-opt swarm.createretry=2 --refresh-on-node-filter --container-name-refresh-filter web -H :1';
  expect(read(args.split(' '))).toMatchObject({
    discovery: { scheme: 'nodes', rest: 'a,b' },
    heartbeatMs: 10_000,
    hosts: [
      { kind: 'tcp', host: '', port: 1 },
      { kind: 'unix', path: '/s' },
    ],
    strategy: 'binpack',
    filters: ['health', 'port'],
    clusterOpts: { overcommit: 0.5, createRetry: 2 },
    engineRefreshMinMs: 1000,
    engineRefreshMaxMs: 5_400_000,
    engineFailureRetry: 5,
    cors: true,
    refreshOnNodeFilter: true,
    containerNameRefreshFilter: 'web',
    warnings: [],
  });
});

test('replication', () => {
  const options = read('--replication --advertise [::1]:4000 --replication-ttl 30s etcd://h/p'.split(' '));
  expect(options.replication).toEqual({ advertise: '[::1]:4000', ttlMs: 30_000 });
});

test('variables', () => {
  const env = {
    SWARM_DISCOVERY: 'file:///n',
    SWARM_HOST: ':2375',
    SWARM_STRATEGY: 'random',
    SWARM_ADVERTISE: 'h:1',
  };
  expect(read([], env)).toMatchObject({
    discovery: { scheme: 'file', rest: '/n' },
    hosts: [{ kind: 'tcp', host: '', port: 2375 }],
    strategy: 'random',
  });
  expect(read(['a'], env).discovery).toEqual({ scheme: 'nodes', rest: 'a' });
});

test.each([
  ['--cluster-opt swarm.overcommit=-0.5 a', 'a negative swarm.overcommit'],
  ['--advertise nohost a', '--advertise is not of the form'],
  ['--discovery-opt kv.path=x a', '--discovery-opt kv.path: not used by nodes:// discovery'],
])('warns of %s', (args, warning) => {
  expect(read(args.split(' ')).warnings).toEqual([expect.stringContaining(warning)]);
});

test('reads TLS files', () => {
  const verified = read(files('--tlsverify --tlscacert @b.pem --tlscert @a.pem --tlskey @a-key.pem n')).tls;
  expect(verified).toMatchObject({ verify: true });
  expect(verified?.ca?.toString()).toContain('BEGIN CERTIFICATE');
  expect(verified?.key.toString()).toContain('PRIVATE KEY');
  const plain = read(files('--tls --tlscert @a.pem --tlskey @a-key.pem n')).tls;
  expect(plain).toMatchObject({ verify: false });
  expect(plain?.ca).toBeUndefined();
  expect(read(['--tls=false', 'n']).tls).toBeUndefined();
});

test.each([
  ['--tlscert @none.pem --tlskey @a-key.pem --tls n', 'none.pem: no such file or directory'],
  ['--tlscert @a.pem --tlskey @none.pem --tls n', 'none.pem: no such file or directory'],
  ['--tlscert @text.pem --tlskey @a-key.pem --tls n', 'text.pem: no certificate in PEM form'],
  ['--tlscert @a.pem --tlskey @text.pem --tls n', 'text.pem: no private key in PEM form'],
  ['--tlscert @a.pem --tlskey @enc.pem --tls n', 'Key encrypted?'],
  ['--tlscert @a.pem --tlskey @b-key.pem --tls n', 'private key does not match public key'],
  ['--tlscert @a.pem --tlskey @a-key.pem --tlscacert @ --tlsverify n', "Couldn't read CA certificate"],
  ['--tlscert @a.pem --tlskey @a-key.pem --tlscacert @text.pem --tlsverify n', 'text.pem: no certificate'],
])('names the TLS file: %s', (args, message) => {
  expect(() => read(files(args))).toThrow(message);
});
