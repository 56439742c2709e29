import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLog } from '../base/log.ts';
import type { BalancerReport } from '../model/index.ts';
import { HostBalancer } from './host-balancer.ts';
import { backend, ingress, network, published, service } from './rules/testing.ts';
import { FakeHost, FakeNamespace } from './testing/fake-host.ts';
import { FakeSource, QUICK_TIMES } from './testing/fake-source.ts';
import type { BalancerOptions } from './types.ts';

const MESH = '/run/docker/netns/ingress_sbox';
const NETWORK = '/run/docker/netns/lb_net';

let host: FakeHost;
let source: FakeSource;
let stop: AbortController;
let running: Promise<void>;
let balancer: HostBalancer;

beforeEach(() => {
  host = new FakeHost();
  host.files.set(MESH, meshNamespace(100));
  host.files.set(NETWORK, new FakeNamespace(101).link('eth0', network.address));
  source = new FakeSource();
  stop = new AbortController();
  running = Promise.resolve();
});

afterEach(async () => {
  stop.abort();
  await running;
});

function meshNamespace(inode: number): FakeNamespace {
  return new FakeNamespace(inode).link('eth0', ingress.address).link('eth1', '172.18.0.2/16');
}

function begin(more: Partial<BalancerOptions> = {}): void {
  balancer = new HostBalancer(
    {
      ...{ nodeId: 'here', source, mode: 'auto', times: QUICK_TIMES },
      engine: { sandboxes: () => Promise.resolve([]) },
      log: createLog('error', { write: () => undefined }),
      ...more,
    },
    host,
  );
  running = balancer.run(stop.signal);
}

const at = (path: string): FakeNamespace => host.files.get(path) ?? new FakeNamespace(0);
const rulesOf = ({ transactions }: FakeNamespace): string => transactions.at(-1) ?? '';
const lastReport = (): BalancerReport | undefined => source.reports.at(-1);

async function inForce(version: number): Promise<BalancerReport> {
  return vi.waitFor(() => {
    const report = lastReport();
    if (!report || report.version < version) throw new Error(`version ${report?.version} is in force`);
    return report;
  }, 10_000);
}

const tasks = [backend('10.0.1.11'), backend('10.0.1.12')];
const inMesh = [backend('10.0.0.11'), backend('10.0.0.12')];
const all = {
  networks: [network, ingress],
  services: [service('10.0.1.5', tasks), published(['8080:80'], inMesh)],
};

test('what it is told is in force everywhere before it says so', async () => {
  begin();
  const report = await inForce(source.tell(all));
  expect(report).toEqual({ version: 1, mode: 'nftables', problems: [], takenPorts: [], keepsClients: [] });
  expect(rulesOf(at(NETWORK))).toContain('10.0.1.11');
  expect(at(NETWORK).aliases('eth0')).toEqual(['10.0.1.5']);
  expect(rulesOf(at(MESH))).toContain('10.0.0.12');
  expect(rulesOf(host.own)).toContain('tcp . 8080');
  expect(host.own.settings.get('net/ipv4/conf/docker_gwbridge/route_localnet')).toBe('1');
  expect([...host.held]).toEqual(['tcp/8080']);
  await vi.waitFor(() => {
    const rules = host.chains.get('DOCKER-USER')?.map((rule) => rule.includes('--comment skep'));
    expect(rules).toEqual([false, true, true, false]);
  }, 10_000);
});

test('a change touches only what differs, and forgets who is gone', async () => {
  begin();
  const other = { ...service('10.0.1.6', [backend('10.0.1.21')]), serviceId: 'other' };
  await inForce(source.tell({ ...all, services: [...all.services, other] }));
  const before = host.own.transactions.length;
  await inForce(source.tell({ services: [service('10.0.1.5', tasks.slice(1))] }));
  expect(rulesOf(at(NETWORK))).toContain('10.0.1.12');
  expect(rulesOf(at(NETWORK))).not.toMatch(/10\.0\.1\.(11|21)|delete table/);
  expect(host.own.transactions.length).toBe(before);
  await vi.waitFor(() =>
    expect(at(NETWORK).forgotten).toContain(
      '-D -p tcp --state ESTABLISHED --reply-src 10.0.1.11 --orig-dst 10.0.1.5',
    ),
  );
});

test('updates that come while it works are taken together', async () => {
  begin();
  await inForce(source.tell(all));
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  host.before = () => opened;
  const done = at(NETWORK).transactions.length;
  for (let last = 20; last < 40; last++)
    source.tell({ services: [service('10.0.1.5', [backend(`10.0.1.${last}`)])] });
  open();
  await inForce(21);
  expect(rulesOf(at(NETWORK))).toContain('10.0.1.39');
  expect(at(NETWORK).transactions.length).toBeLessThan(done + 4);
});

test('a namespace that comes later, or anew, gets its rules then', async () => {
  const later = at(NETWORK);
  host.files.delete(NETWORK);
  begin();
  await inForce(source.tell(all));
  expect(later.transactions).toEqual([]);
  host.files.set(NETWORK, later);
  await vi.waitFor(() => expect(later.aliases('eth0')).toEqual(['10.0.1.5']), 10_000);
  host.files.set(MESH, meshNamespace(200));
  await vi.waitFor(() => expect(rulesOf(at(MESH))).toContain('10.0.0.12'), 10_000);
});

test('a namespace made anew that has the number of the former one is not taken for that', async () => {
  const words: string[] = [];
  begin({ log: createLog('warn', { write: (line) => void words.push(line) }) });
  await inForce(source.tell(all));
  const gone = at(NETWORK);
  host.files.delete(NETWORK);
  const looked = host.listed;
  await vi.waitFor(() => expect(host.listed).toBeGreaterThan(looked + 3), 10_000);
  await inForce(source.tell({ services: [service('10.0.1.5', tasks.slice(1))] }));
  host.files.set(NETWORK, new FakeNamespace(gone.inode).link('eth0', network.address));
  await vi.waitFor(() => expect(rulesOf(at(NETWORK))).toContain('10.0.1.12'), 10_000);
  expect(at(NETWORK).transactions).toHaveLength(1);
  expect(words).toEqual([]);
});

test('a firewall that somebody else works on holds nothing else up', async () => {
  const { promise: free, resolve: end } = Promise.withResolvers<void>();
  host.before = ({ program, args }) =>
    program === 'iptables' && args.includes('-S') ? free : Promise.resolve();
  begin();
  await inForce(source.tell(all));
  await inForce(source.tell({ services: [service('10.0.1.5', tasks.slice(1))] }));
  expect(rulesOf(at(NETWORK))).toContain('10.0.1.12');
  end();
});

test('the namespace of another engine by the same name is left alone', async () => {
  const foreign = new FakeNamespace(300).link('eth0', '10.0.1.77/24');
  host.files.set('/other/netns/lb_net', foreign);
  begin();
  await inForce(source.tell(all));
  expect(foreign.transactions).toEqual([]);
  expect(rulesOf(at(NETWORK))).toContain('10.0.1.11');
});

test('what others take away is put back', async () => {
  begin();
  await inForce(source.tell(all));
  host.own.flush();
  at(NETWORK).flush();
  at(MESH).links[0]?.addresses.splice(1);
  host.chains.set('DOCKER-USER', ['-N DOCKER-USER', '-A DOCKER-USER -s 10.9.9.9/32 -j DROP']);
  await vi.waitFor(() => {
    expect(host.own.seal).toBeDefined();
    expect(at(NETWORK).seal).toBeDefined();
    expect(host.chains.get('DOCKER-USER')).toHaveLength(4);
  }, 10_000);
  at(NETWORK).links[0]?.addresses.splice(1);
  await vi.waitFor(() => expect(at(NETWORK).aliases('eth0')).toEqual(['10.0.1.5']), 10_000);
});

test('a namespace that the engine has made anew is told from rules that somebody took away', async () => {
  const lines: string[] = [];
  begin({ log: createLog('info', { write: (line) => lines.push(line) }) });
  const said = (words: string): number => lines.filter((line) => line.includes(words)).length;
  await inForce(source.tell(all));
  // By the number of the former, as kernels give numbers again.
  const anew = new FakeNamespace(at(NETWORK).inode).link('eth0', network.address);
  host.files.set(NETWORK, anew);
  await vi.waitFor(() => expect(anew.aliases('eth0')).toEqual(['10.0.1.5']), 10_000);
  expect(rulesOf(anew)).toContain('10.0.1.11');
  expect(said('the engine has made a namespace anew')).toBe(1);
  expect(said('taken away by somebody else')).toBe(0);
  // On its way out: its interface is gone, its file is not yet.
  const half = new FakeNamespace(anew.inode);
  host.files.set(NETWORK, half);
  await vi.waitFor(() => expect(said('the engine has made a namespace anew')).toBe(2), 10_000);
  host.files.set(NETWORK, half.link('eth0', network.address));
  await vi.waitFor(() => expect(half.aliases('eth0')).toEqual(['10.0.1.5']), 10_000);
  expect(said('taken away by somebody else')).toBe(0);
  // Once the engine has surely made it.
  await vi.waitFor(() => {
    at(NETWORK).flush();
    expect(said('taken away by somebody else')).toBe(1);
  }, 30_000);
}, 60_000);

test('a port that somebody listens on is left to him until he goes', async () => {
  host.busy.add('tcp/8080');
  begin();
  const report = await inForce(source.tell(all));
  expect(report.takenPorts).toEqual([{ protocol: 'tcp', published: 8080 }]);
  expect(rulesOf(host.own)).not.toContain('8080');
  host.busy.clear();
  await vi.waitFor(() => expect(lastReport()?.takenPorts).toEqual([]), 10_000);
  expect(rulesOf(host.own)).toContain('tcp . 8080');
});

test('rules that the kernel does not take keep no others out', async () => {
  host.poison = '10.0.1.66';
  begin();
  const odd = { ...service('10.0.1.6', [backend('10.0.1.66')]), serviceId: 'odd' };
  const report = await inForce(source.tell({ ...all, services: [...all.services, odd] }));
  expect(report.problems).toEqual([expect.stringContaining('10.0.1.66 is not for this kernel')]);
  expect(at(NETWORK).aliases('eth0')).toEqual(['10.0.1.5']);
  await inForce(source.tell({ services: [{ ...odd, backends: [backend('10.0.1.67')] }] }));
  await vi.waitFor(() => expect(lastReport()?.problems).toEqual([]));
  expect(at(NETWORK).aliases('eth0')).toEqual(['10.0.1.5', '10.0.1.6']);
});

test('a place that does not take rules holds its version back, and is tried again', async () => {
  begin();
  await inForce(source.tell(all));
  host.before = async ({ netns, program }) => {
    if (netns === NETWORK && program === 'nft') host.poison = 'add';
    else host.poison = '';
  };
  source.tell({ services: [service('10.0.1.5', [backend('10.0.1.30')])] });
  await vi.waitFor(() => expect(lastReport()?.problems).toEqual([expect.stringContaining('my-net')]), 10_000);
  expect(lastReport()?.version).toBe(1);
  host.before = () => Promise.resolve();
  host.poison = '';
  expect((await inForce(2)).version).toBe(2);
  await vi.waitFor(() => expect(lastReport()?.problems).toEqual([]));
});

test('a task that keeps its clients says so while its namespace has what it needs', async () => {
  const sandbox = new FakeNamespace(400).link('eth0', '10.0.0.11/24');
  const path = '/run/docker/netns/46fae0996ea2';
  host.files.set(path, sandbox);
  const found = new Set(['mine']);
  const sandboxes = (ids: readonly string[]): Promise<{ taskId: string; path: string }[]> =>
    Promise.resolve(ids.filter((id) => found.has(id)).map((taskId) => ({ taskId, path })));
  begin({ engine: { sandboxes } });
  const mine = backend('10.0.0.11', { taskId: 'mine', nodeId: 'here' });
  const kept = published(['8080:80'], [mine], { keepClients: true });
  await inForce(source.tell({ ...all, services: [kept] }));
  await vi.waitFor(() => expect(lastReport()?.keepsClients).toEqual(['mine']), 10_000);
  expect(rulesOf(sandbox)).toContain('10.0.0.11');
  found.clear();
  host.files.delete(path);
  await vi.waitFor(() => expect(lastReport()?.keepsClients).toEqual([]), 10_000);
  expect(lastReport()?.problems).toEqual([]);
});

test('without a service nothing of it stays', async () => {
  begin();
  await inForce(source.tell(all));
  await inForce(
    source.tell({
      goneServices: [
        { networkId: 'net', serviceId: 'web' },
        { networkId: 'ingr', serviceId: 'web' },
      ],
    }),
  );
  expect(at(NETWORK).aliases('eth0')).toEqual([]);
  expect(rulesOf(host.own)).toContain('delete element');
  expect([...host.held]).toEqual([]);
});

test('the doctor is told what is expected and what is there', async () => {
  begin();
  await inForce(source.tell(all));
  source.tell({ questions: [{ id: 'q1', serviceId: 'web' }] });
  const findings = await vi.waitFor(
    () => source.answers.get('q1') ?? expect.unreachable('no answer'),
    10_000,
  );
  const subjects = findings.map(({ verdict, subject }) => `${verdict} ${subject}`);
  expect(subjects).toContain('ok addresses on my-net');
  expect(subjects).toContain('ok rules of this host');
  expect(subjects).toContain('ok firewall');
  expect(findings.find(({ subject }) => subject === 'addresses on ingress')?.text).toBe(
    "Port 8080:80/tcp leads to 10.0.0.11, 10.0.0.12, this node's is 10.0.0.2",
  );
});

async function examined(serviceId: string): Promise<string[]> {
  const found = await balancer.examine(serviceId);
  return found.map(({ verdict, subject, text }) => `${verdict} ${subject}: ${text}`);
}

test('a network without a task here needs no sandbox, one with a task does', async () => {
  host.files.delete(NETWORK);
  begin();
  await inForce(source.tell(all));
  expect((await examined('')).join()).not.toContain('my-net');
  const own = [backend('10.0.1.12', { nodeId: 'here' })];
  await inForce(source.tell({ services: [service('10.0.1.5', own)] }));
  expect(await examined('')).toContainEqual(
    expect.stringMatching(
      /^fault network my-net: The engine has made no sandbox for it \(lb_net\), though a task/,
    ),
  );
});

test('what is wrong with rules and with the host is said in words', async () => {
  begin();
  await inForce(source.tell(all));
  expect(balancer.serviceId('web')).toBe('web');
  expect(balancer.serviceId('other')).toBeUndefined();
  // As if swarmd had no time to put them back.
  host.commands.run = ((run) => (command) => {
    const isListing =
      command.program === 'nft' && command.args[0] === '--json' && command.args.at(-1) !== 'ruleset';
    if (!isListing) return run(command);
    return Promise.resolve({
      code: 1,
      stdout: '',
      stderr: 'Error: No such file or directory; did you mean ‘x’',
    });
  })(host.commands.run);
  host.own.settings.set('net/ipv4/ip_forward', '0');
  host.own.link('eth0', '192.168.0.2/24');
  host.chains.get('DOCKER-USER')?.splice(1, 0, '-A DOCKER-USER -i eth0 -p tcp -m tcp --dport 8080 -j DROP');
  const found = await examined('web');
  expect(found).toContainEqual(
    expect.stringMatching(/^fault rules of this host: They were deleted, as by nft flush ruleset/),
  );
  expect(found).toContainEqual(expect.stringMatching(/^fault forwarding: The kernel does not forward/));
  expect(found).toContainEqual(
    expect.stringMatching(
      /^fault firewall: What comes for published port 8080\/tcp is dropped by iptables' rule "-A/,
    ),
  );
});

test('nothing is changed before it has been told anything', async () => {
  begin();
  await vi.waitFor(() => expect(host.runs.some(({ program }) => program === 'conntrack')).toBe(true));
  expect([host.own, at(MESH), at(NETWORK)].flatMap(({ transactions }) => transactions)).toEqual([]);
});

test('where the kernel has IPVS the engine balances', async () => {
  host.ipvs = true;
  begin();
  expect(await inForce(source.tell(all))).toMatchObject({ mode: 'engine', version: 1, problems: [] });
  expect(at(MESH).aliases('eth0')).toEqual([]);
  expect(at(MESH).seal).toBeUndefined();
  expect(source.needs).toEqual(['questions']);
  source.tell({ questions: [{ id: 'q1', serviceId: 'web' }] });
  await vi.waitFor(() =>
    expect(source.answers.get('q1')).toEqual([
      expect.objectContaining({ verdict: 'ok', subject: 'balancer' }),
    ]),
  );
});

test('what is missing is named, with its package', async () => {
  host.missing.add('nft');
  begin();
  const report = await inForce(source.tell(all));
  expect(report.mode).toBe('none');
  expect(report.problems).toEqual([expect.stringContaining('nft (Debian package nftables)')]);
});

test('without conntrack it balances, and says what is lost', async () => {
  host.missing.add('conntrack');
  begin();
  const report = await inForce(source.tell(all));
  expect(report).toMatchObject({ mode: 'nftables', version: 1 });
  expect(report.problems).toEqual([expect.stringContaining('Debian package conntrack')]);
});
