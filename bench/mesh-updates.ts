/**
 * From one task's change, at the manager, to the rules in force on three real hosts: 200 services of 10 tasks each, all
 * with a virtual IP and a published port, so that each change is one for every host and for two of its namespaces.
 * What is measured is whole: the store, the stream to each host's balancer over real TLS, nft, and the word back. All share
 * the machine's cores. Run as root: `npm run bench -- mesh-updates`.
 *
 *   bench/mesh-updates.ts [--updates 100]
 *
 * Aims: in force on every node within 200 ms; under 5 ms of CPU an update besides nft.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { issueCertificate } from '../src/ca/node-certificate.ts';
import { keyPem, newKeyPair } from '../src/certs/index.ts';
import { setState } from '../test/endpoints/rows.ts';
import { startHosts, type Host } from '../test/hosts/index.ts';
import { inNamespace, namespacesOf, runAt } from '../test/networks/places.ts';
import type { Crew } from './agents-main.ts';
import { figuresOf, ms } from './figures.ts';
import type { BalancerNumbers } from './mesh-updates-main.ts';
import { layOverlay, startManager, type Manager } from './mesh-updates-swarm.ts';

const SERVICES = 200;
const TASKS_EACH = 10;
const DEADLINE_MS = 120_000;
/** Between two updates, so that each is told by itself. */
const REST_MS = 100;
const MAIN = fileURLToPath(new URL('mesh-updates-main.ts', import.meta.url));

const { values } = parseArgs({ options: { updates: { type: 'string', default: '100' } } });
const UPDATES = Number(values.updates);

interface Balancer {
  readonly host: Host;
  readonly nodeId: string;
  numbers(): Promise<BalancerNumbers>;
}

/** Starts a host's balancer there; it ends with the host. */
async function startBalancer({ swarm }: Manager, host: Host, nodeId: string): Promise<Balancer> {
  const cluster = swarm.cluster();
  const { publicKey, privateKey } = await newKeyPair();
  const certPem = await issueCertificate(cluster, { nodeId, role: 'worker', publicKey, nowMs: Date.now() });
  const crew: Crew = {
    ...{ addr: swarm.addr, rootPem: cluster.rootCa.certPem, keyPem: await keyPem(privateKey) },
    nodes: [{ nodeId, certPem }],
  };
  const file = host.runFile('crew.json');
  writeFileSync(file, JSON.stringify(crew), { mode: 0o600 });
  const args = ['--pdeathsig', 'KILL', 'nsenter', ...host.entry, process.execPath, MAIN, file];
  const child = spawn('setpriv', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.unref();
  const lines = createInterface({ input: child.stdout });
  const numbers = async (): Promise<BalancerNumbers> => {
    const line = once(lines, 'line', { signal: AbortSignal.timeout(DEADLINE_MS) });
    child.stdin.write('\n');
    const [text] = (await line) as [string];
    return JSON.parse(text) as BalancerNumbers;
  };
  return { host, nodeId, numbers };
}

/** Milliseconds until every balancer has a version in force above the one that it had. */
async function inForce({ endpoints }: Manager, above: ReadonlyMap<string, number>): Promise<number> {
  const from = performance.now();
  const behind = (): boolean =>
    [...above].some(([id, version]) => (endpoints.reportOf(id)?.version ?? 0) <= version);
  while (behind()) {
    if (performance.now() - from > DEADLINE_MS) throw new Error(`not in force within ${DEADLINE_MS} ms`);
    await sleep(2);
  }
  return performance.now() - from;
}

/** Takes the task out of its service, or in again. */
async function change(manager: Manager, nodes: readonly Balancer[], runs: boolean): Promise<number> {
  const above = new Map(
    nodes.map(({ nodeId }) => [nodeId, manager.endpoints.reportOf(nodeId)?.version ?? 0]),
  );
  const from = performance.now();
  await setState(manager.swarm.store, manager.task.id, runs ? 'running' : 'failed');
  await inForce(manager, above);
  return performance.now() - from;
}

/** Whether the kernels have what the balancers said: that task's two addresses, or neither. */
async function assertRules({ task }: Manager, hosts: Iterable<Host>, runs: boolean): Promise<void> {
  for (const host of hosts) {
    const files = (await namespacesOf(host)).filter((path) => /\/(ingress_sbox|lb_\w+)$/.test(path));
    const tables = files.map((path) => runAt(inNamespace(host, path), 'nft', 'list', 'table', 'ip', 'skep'));
    const shown = (await Promise.all(tables)).join('\n');
    const present = task.addresses.filter((one) =>
      new RegExp(`\\b${one.replaceAll('.', '\\.')}\\b`).test(shown),
    );
    if (present.length !== (runs ? task.addresses.length : 0))
      throw new Error(`${host.name}: of ${task.addresses.join(' and ')} there is ${present.join(' and ')}`);
  }
}

const asked = (nodes: readonly Balancer[]): Promise<BalancerNumbers[]> =>
  Promise.all(nodes.map((one) => one.numbers()));

/** What a balancer has spent between two answers, the mean of all. */
function spent(before: readonly BalancerNumbers[], after: readonly BalancerNumbers[]) {
  const mean = (of: (numbers: BalancerNumbers) => number): number =>
    after.reduce((sum, one, at) => sum + of(one) - of(before[at] ?? one), 0) / after.length;
  return {
    ownMs: mean((one) => one.cpuMs - one.startingMs),
    startingMs: mean((one) => one.startingMs),
    programs: mean((one) => one.programs),
  };
}

const load = (): string => loadavg()[0]?.toFixed(1) ?? '';
const show = (what: string, samplesMs: readonly number[]): void => {
  const { p50Ms, p99Ms } = figuresOf(samplesMs);
  console.log(`${what.padEnd(44)} ${ms(p50Ms)} / ${ms(p99Ms)} ms, at most ${ms(Math.max(...samplesMs))} ms`);
};

await using hosts = await startHosts({
  count: 3,
  engine: ['20.10', '20.10', '28.5'],
  dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
});
const overlay = await layOverlay(hosts);
const address = hosts.at(0).ip.replace(/\d+$/, '1');
const manager = await startManager(overlay, address, SERVICES, TASKS_EACH);
try {
  const loadBefore = load();
  const none = new Map(overlay.nodes.map(({ nodeId }) => [nodeId, 0]));
  const from = performance.now();
  const nodes = await Promise.all(
    overlay.nodes.map(({ host, nodeId }) => startBalancer(manager, host, nodeId)),
  );
  await inForce(manager, none);
  console.log(`all ${SERVICES} services in force after a start: ${(performance.now() - from).toFixed(0)} ms`);
  await assertRules(manager, hosts, true);
  const samples = { out: [] as number[], in: [] as number[] };
  const before = await asked(nodes);
  const began = performance.now();
  for (let n = 0; n < UPDATES; n += 1) {
    const runs = n % 2 === 1;
    samples[runs ? 'in' : 'out'].push(await change(manager, nodes, runs));
    if (n < 2) await assertRules(manager, hosts, runs);
    await sleep(REST_MS);
  }
  const lastedMs = performance.now() - began;
  const after = await asked(nodes);
  await sleep(lastedMs);
  const idle = spent(after, await asked(nodes));
  const busy = spent(before, after);
  const each = (of: keyof typeof idle): number => (busy[of] - idle[of]) / UPDATES;
  const idleCores = (idle.ownMs + idle.startingMs) / lastedMs;
  for (const { problems } of after) for (const words of problems) console.log(`a balancer says: ${words}`);
  console.log(`${SERVICES} services of ${TASKS_EACH} tasks, 3 hosts, ${UPDATES} updates; p50 / p99`);
  console.log(`load of the machine: ${loadBefore} before, ${load()} with this`);
  show('a task less, in force on all nodes (aim: 200)', samples.out);
  show('a task more', samples.in);
  show(
    'of that on the node',
    after.flatMap(({ tookMs }) => tookMs),
  );
  const starting = `${ms(each('startingMs'))} ms to start ${each('programs').toFixed(1)} programs`;
  console.log(`CPU of a balancer an update: ${ms(each('ownMs'))} ms (aim: 5), and ${starting}`);
  console.log(`CPU of a balancer without updates: ${(idleCores * 100).toFixed(1)} % of a core`);
} finally {
  await manager.stop();
}
