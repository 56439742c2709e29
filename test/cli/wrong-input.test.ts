import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runHere } from './in-process.ts';
import { run } from './swarm-process.ts';

const TOKEN = '0123456789abcdef0123456789abcdef';
let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swarm-cli-'));
  writeFileSync(join(folder, 'nodes'), 'a\nb:x\n');
  writeFileSync(join(folder, 'text.pem'), 'hello\n');
  mkdirSync(join(folder, 'text.db'));
  writeFileSync(join(folder, 'text.db/discovery.db'), 'hello\n'.repeat(1000));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What is typed after `swarm` (`@` is the test's folder), the words of the message, and the exit code. */
const WRONG: readonly (readonly [string, string, number])[] = [
  // The command line itself.
  ['frobnicate', "No help topic for 'frobnicate'", 2],
  ['help frobnicate', "No help topic for 'frobnicate'", 2],
  ['--frobnicate', 'flag provided but not defined: -frobnicate', 2],
  ['--debug=perhaps manage a', 'invalid boolean value "perhaps" for -debug', 2],
  ['-l loud manage a', 'not a valid log level: "loud"', 2],
  ['--log-level', 'flag needs an argument: -log-level', 2],
  ['manage --frobnicate a', 'flag provided but not defined: -frobnicate', 2],
  ['manage a --debug', 'swarm --debug … COMMAND', 2],
  ['manage a -H', 'flag needs an argument: -H', 2],
  ['manage ---tls a', 'bad flag syntax: ---tls', 2],
  ['manage --tls=perhaps a', 'invalid boolean value "perhaps" for -tls', 2],
  ['manage --addr a:1 --advertise b:1 a', 'Cannot use two forms of the same flag', 2],
  ['manage --engine-failure-retry many a', 'invalid value "many" for flag -engine-failure-retry', 2],
  // The discovery argument.
  ['manage', "discovery required to manage a cluster. See 'swarm manage --help'.", 2],
  ['list', "discovery required to list a cluster. See 'swarm list --help'.", 2],
  ['join', "discovery required to join a cluster. See 'swarm join --help'.", 2],
  ['manage a b', 'discovery required to manage a cluster: one argument, not 2', 2],
  [`manage token://${TOKEN} b`, 'one argument, not 2 (token://(token) b)', 2],
  ['manage foo://a', 'discovery service not supported: "foo"', 2],
  ['manage unix:///run/docker.sock', 'nodes://unix:///run/docker.sock', 2],
  ['manage nodes://', 'nothing follows nodes://', 2],
  ['manage a,b:x', 'node 2: invalid node "b:x": expected host:port', 2],
  ['manage 10.0.0.[1:999999999]', 'a range holds at most', 2],
  ['manage 10.0.0.[5:1]', 'the range runs backwards', 2],
  ['manage --discovery-opt path a', '--discovery-opt must contain key=value strings', 2],
  ['manage --discovery-opt foo=1 a', 'unknown --discovery-opt "foo"', 2],
  ['manage --discovery-opt kv.certfile=c consul://a', 'go together, kv.cacertfile and kv.keyfile missing', 2],
  // Numbers and durations.
  ['manage --heartbeat 20 a', 'invalid --heartbeat: time: missing unit in duration "20"', 2],
  ['manage --heartbeat soon a', 'invalid --heartbeat: time: invalid duration "soon"', 2],
  ['manage --heartbeat 999ms a', '--heartbeat should be at least one second', 2],
  ['manage --replication-ttl 0s a', '--replication-ttl should be a positive number', 2],
  [
    'manage --replication --advertise a:1 --replication-ttl -20s etcd://a',
    '--replication-ttl should be a positive',
    2,
  ],
  ['manage --replication-ttl x a', 'invalid --replication-ttl: time: invalid duration', 2],
  ['manage --engine-refresh-min-interval 0s a', 'min refresh interval should be a positive number', 2],
  ['manage --engine-refresh-min-interval -1s a', 'min refresh interval should be a positive number', 2],
  [
    'manage --engine-refresh-max-interval 29s a',
    'max refresh interval cannot be less than min refresh interval',
    2,
  ],
  ['manage --engine-refresh-max-interval x a', 'invalid --engine-refresh-max-interval: time: invalid', 2],
  ['manage --engine-failure-retry 0 a', 'invalid failure retry count', 2],
  ['manage --engine-failure-retry -1 a', 'invalid failure retry count', 2],
  [
    'manage --engine-refresh-retry 4 a',
    '--engine-refresh-retry is deprecated. Use --engine-failure-retry',
    2,
  ],
  // Names.
  ['manage --strategy fair a', 'strategy not supported: "fair" (spread, binpack, random)', 2],
  ['manage --filter colour a', 'filter not supported: "colour"', 2],
  ['manage -c mesos-experimental a', 'unsupported cluster "mesos-experimental"', 2],
  ['manage -c kube a', 'unsupported cluster "kube"', 2],
  ['manage --cluster-opt mesos.port=1 a', 'unsupported cluster "mesos-experimental"', 2],
  ['manage --cluster-opt swarm.foo=1 a', 'unknown --cluster-opt "swarm.foo"', 2],
  ['manage --cluster-opt swarm.overcommit a', '--cluster-opt must contain key=value strings', 2],
  [
    'manage --cluster-opt swarm.overcommit=-2 a',
    'swarm.overcommit should be larger than -1, -2.000000 is invalid',
    2,
  ],
  ['manage --cluster-opt swarm.overcommit=lots a', 'swarm.overcommit should be a number', 2],
  ['manage --cluster-opt swarm.overcommit=NaN a', 'swarm.overcommit should be a number', 2],
  ['manage --cluster-opt swarm.createretry=-1 a', 'swarm.createretry can not be negative, -1 is invalid', 2],
  ['manage --cluster-opt swarm.createretry=1.5 a', 'swarm.createretry should be a number', 2],
  // Addresses.
  ['manage -H 1.2.3.4 a', 'invalid --host "1.2.3.4": missing port in address', 2],
  ['manage -H fd:// a', 'unsupported protocol: "fd"', 2],
  ['manage -H 127.0.0.1:99999 a', 'the port is not a number up to 65535', 2],
  ['manage -H ::1:2375 a', 'IPv6 needs brackets', 2],
  ['manage -H tcp://192.0.2.1:2375 a', 'not an address of this machine', 1],
  ['manage -H unix:///nowhere/s.sock a', 'its folder does not exist', 1],
  ['manage --replication a', '--advertise address must be provided when using --leader-election', 2],
  ['manage --replication --advertise a a', '--advertise should be of the form ip:port or hostname:port', 2],
  [
    'manage --replication --advertise a:1 a',
    'Leader election is only supported with consul, etcd and zookeeper',
    2,
  ],
  // TLS.
  ['manage --tls a', '--tlscert and --tlskey must be provided when using --tls', 2],
  ['manage --tlsverify --tlscert c --tlskey k a', '--tlscacert must be provided when using --tlsverify', 2],
  [
    'manage --tlscert c a',
    '--tlscert, --tlskey and --tlscacert require the use of either --tls or --tlsverify',
    2,
  ],
  ['manage --tls --tlscert @none.pem --tlskey k a', '@none.pem: no such file or directory', 1],
  ['manage --tls --tlscert @text.pem --tlskey @text.pem a', '@text.pem: no certificate in PEM form', 1],
  // Stores.
  ['list etcd://127.0.0.1:1/p', 'etcd at 127.0.0.1:1 refuses connections', 1],
  ['list consul://127.0.0.1:1', 'Consul at 127.0.0.1:1 refuses connections', 1],
  ['list zk://127.0.0.1:1/p', 'ZooKeeper at 127.0.0.1:1 refuses connections', 1],
  // Tokens.
  ['manage token://abc', 'malformed token "abc": a token has 32 hexadecimal digits', 2],
  [`list token://${TOKEN}`, 'no token service is known, and the public one', 1],
  [`list --discovery-opt token.url=ftp://a token://${TOKEN}`, 'expected http://HOST:PORT or https', 2],
  [`join --addr a:1 token://${TOKEN}x`, 'malformed token', 2],
  [
    `list --discovery-opt token.url=http://127.0.0.1:1 token://${TOKEN}`,
    'token service http://127.0.0.1:1: connection refused',
    1,
  ],
  ['create', 'Start one: swarm discovery -H tcp://0.0.0.0:8090, and name it: export SWARM_TOKEN_URL', 1],
  ['create --discovery-opt token.url=http://127.0.0.1:1', 'http://127.0.0.1:1: connection refused', 1],
  ['create --discovery-opt token.url=8090', 'invalid URL of a token service "8090"', 2],
  ['create x', 'the `create` command takes no arguments', 2],
  // join.
  ['join a', 'missing mandatory --advertise flag', 2],
  ['join --addr 10.0.0.1 a', '--advertise should be of the form ip:port or hostname:port', 2],
  ['join --addr 10.0.0.300:2375 a', '--advertise should be of the form ip:port or hostname:port', 2],
  ['join --addr a:1 --ttl 60s a', '--ttl must be strictly superior to the heartbeat value', 2],
  ['join --addr a:1 --delay -1s a', '--delay should not be a negative number', 2],
  ['join --addr a:1 --heartbeat 1ms a', '--heartbeat should be at least one second', 2],
  ['join --addr 127.0.0.1:1 a', 'not implemented in this discovery service', 1],
  // discovery.
  ['discovery x', 'the `discovery` command takes no arguments', 2],
  ['discovery -H 8090', 'invalid --host "8090": missing port in address', 2],
  ['discovery --tls', '--tlscert and --tlskey must be provided when using --tls', 2],
  ['discovery --state-dir @nodes', "cannot keep tokens in '@nodes/discovery.db'", 1],
  ['discovery --state-dir @text.db', 'file is not a database', 1],
  ['discovery -H tcp://192.0.2.1:1 --state-dir @state', 'not an address of this machine', 1],
  // health.
  ['health', "nothing reports here: '@none': no such file or directory", 1],
  ['health x', 'the `health` command takes no arguments', 2],
  // list.
  ['list --timeout 0s a', '--timeout should be a positive number', 2],
  ['list --timeout 5 a', 'invalid --timeout: time: missing unit', 2],
  ['list file://@nodes', '@nodes, line 2: invalid node "b:x"', 2],
  ['list file:///nowhere', "failed to read '/nowhere': no such file or directory", 1],
];

/** Those that are tried as processes: a few of each kind, and what gets as far as listening or joining. */
const AS_PROCESS: ReadonlySet<string> = new Set([
  'frobnicate',
  'manage --tls=perhaps a',
  'manage',
  'manage -H tcp://192.0.2.1:2375 a',
  'manage -H unix:///nowhere/s.sock a',
  'list etcd://127.0.0.1:1/p',
  `join --addr a:1 token://${TOKEN}x`,
  'join --addr 127.0.0.1:1 a',
  'discovery -H tcp://192.0.2.1:1 --state-dir @state',
  'create',
]);

test('the lines for processes are among the wrong ones', () => {
  expect(WRONG.filter(([line]) => AS_PROCESS.has(line))).toHaveLength(AS_PROCESS.size);
});

test.each(WRONG.filter(([line]) => !AS_PROCESS.has(line)))('swarm %s', (...wrong) => refuses(runHere, wrong));
test.concurrent.each(WRONG.filter(([line]) => AS_PROCESS.has(line)))('swarm %s, a process', (...wrong) =>
  refuses(run, wrong),
);

/** One line says what is wrong, the last one; the exit code says whose fault it is. */
async function refuses(
  how: typeof runHere,
  [line, words, code]: readonly [string, string, number],
): Promise<void> {
  const env = { SWARM_HEALTH_FILE: join(folder, 'none') };
  const result = await how(line.replaceAll('@', `${folder}/`).split(' '), env);
  const lines = (result.stdout + result.stderr).trimEnd().split('\n');
  const fatal = lines.filter((one) => one.includes(' level=fatal '));
  expect(fatal).toHaveLength(1);
  expect(lines.at(-1)).toBe(fatal[0]);
  // The log quotes quotes.
  expect(fatal[0]?.replaceAll('\\"', '"')).toContain(words.replaceAll('@', `${folder}/`));
  expect(result.code).toBe(code);
}

test('a flag that is not known shows the help before the message', async () => {
  const { stdout } = await runHere(['join', '--foo']);
  expect(stdout).toMatch(
    /^Incorrect Usage\.\n\nUsage: swarm join \[OPTIONS\] <discovery>\n[^]*\n\ntime=".*" level=fatal /,
  );
});

test('what scripts read stays free of messages', async () => {
  expect((await runHere(['list', 'a:x'])).stdout).toBe('');
});
