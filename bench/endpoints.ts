/**
 * What it costs a manager to tell every node's balancer of one task's change, over real TLS: 200 published services of 10 tasks, so
 * that each change concerns every node; and one service of 1,000. The balancers live in a process of their own, do
 * nothing but say that an update is in force, and share the machine's cores with the manager; CPU is the manager's alone.
 *
 *   bench/endpoints.ts [--nodes 10,50,200] [--updates 100]
 *
 * Aim: told, and said to be in force, well within the 200 ms that rules have.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { issueCertificate } from '../src/ca/node-certificate.ts';
import { keyPem, newKeyPair } from '../src/certs/index.ts';
import { createEndpoints, type Endpoints } from '../src/endpoints/index.ts';
import { startTestSwarm, type TestSwarm } from '../test/agents/index.ts';
import { INGRESS, networkRow, nodeRow, port, serviceRow, setState, taskRow } from '../test/endpoints/rows.ts';
import type { Crew } from './agents-main.ts';
import { figuresOf, ms } from './figures.ts';

const SERVICES = 200;
const TASKS_EACH = 10;
const LARGE = 1_000;
const DEADLINE_MS = 120_000;
/** Between two updates, so that each is told by itself. */
const REST_MS = 30;

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '10,50,200' },
    updates: { type: 'string', default: '100' },
  },
});
const UPDATES = Number(values.updates);

interface Manager {
  readonly swarm: TestSwarm;
  readonly endpoints: Endpoints;
  readonly ids: readonly string[];
  stop(): Promise<void>;
}

async function startManager(count: number): Promise<Manager> {
  let endpoints: Endpoints | undefined;
  const swarm = await startTestSwarm({
    routes: (router, context) => {
      endpoints ??= createEndpoints(context);
      endpoints.routes(router);
    },
  });
  if (!endpoints) throw new Error('no routes were asked for');
  const ids = Array.from({ length: count }, (_, n) => `node${String(n).padStart(21, '0')}`);
  const services = Array.from({ length: SERVICES + 1 }, (_, n) =>
    serviceRow(`service-${n}`, 2, { networks: [INGRESS], ports: [port(10_000 + n, 80)] }),
  );
  await swarm.store.update((tx) => tx.create('network', networkRow(INGRESS)));
  await swarm.store.batch(ids, (tx, id) => void tx.create('node', nodeRow(id, 2, [INGRESS])));
  await swarm.store.batch(services, (tx, service) => void tx.create('service', service));
  const tasks = services.flatMap((service, number) =>
    Array.from({ length: number === SERVICES ? LARGE : TASKS_EACH }, (_, n) =>
      taskRow(service, ids[n % count] ?? '', 3, { id: `${service.id}-${n}` }),
    ),
  );
  await swarm.store.batch(tasks, (tx, task) => void tx.create('task', task));
  const end = new AbortController();
  const running = endpoints.run(end.signal);
  const stop = async (): Promise<void> => {
    end.abort();
    await running;
    await swarm.close();
  };
  return { swarm, endpoints, ids, stop };
}

/** A process that plays the nodes' balancers; returns what ends it. */
async function startBalancers({ swarm, ids }: Manager, folder: string): Promise<() => Promise<void>> {
  const cluster = swarm.cluster();
  const { publicKey, privateKey } = await newKeyPair();
  const nodes: Crew['nodes'][number][] = [];
  for (const nodeId of ids) {
    const certPem = await issueCertificate(cluster, { nodeId, role: 'worker', publicKey, nowMs: Date.now() });
    nodes.push({ nodeId, certPem });
  }
  const pem = await keyPem(privateKey);
  const crew: Crew = { addr: swarm.addr, rootPem: cluster.rootCa.certPem, keyPem: pem, nodes };
  const file = join(folder, 'crew.json');
  writeFileSync(file, JSON.stringify(crew), { mode: 0o600 });
  const main = fileURLToPath(new URL('./endpoints-main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, file], { stdio: ['pipe', 'inherit', 'inherit'] });
  return async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.stdin.end();
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await ended.finally(() => clearTimeout(late));
  };
}

/** Milliseconds until every balancer has a version in force above the one that it had. */
async function inForce({ endpoints, ids }: Manager, above: ReadonlyMap<string, number>): Promise<number> {
  const from = performance.now();
  const left = new Set(ids);
  while (left.size > 0) {
    for (const id of left) if ((endpoints.reportOf(id)?.version ?? 0) > (above.get(id) ?? 0)) left.delete(id);
    if (performance.now() - from > DEADLINE_MS)
      throw new Error(`${left.size} balancers: not within ${DEADLINE_MS} ms`);
    if (left.size > 0) await sleep(2);
  }
  return performance.now() - from;
}

const versions = ({ endpoints, ids }: Manager): Map<string, number> =>
  new Map(ids.map((id) => [id, endpoints.reportOf(id)?.version ?? 0]));

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/** Takes one task of a service out and in again, so often in all; what each change took, and its CPU. */
async function change(manager: Manager, taskId: string): Promise<{ samplesMs: number[]; cpuEachMs: number }> {
  const samplesMs: number[] = [];
  let spent = 0;
  for (let n = 0; n < UPDATES; n++) {
    const before = versions(manager);
    const from = cpuMs();
    await setState(manager.swarm.store, taskId, n % 2 === 0 ? 'failed' : 'running');
    samplesMs.push(await inForce(manager, before));
    spent += cpuMs() - from;
    await sleep(REST_MS);
  }
  return { samplesMs, cpuEachMs: spent / UPDATES };
}

async function measure(count: number, folder: string): Promise<void> {
  const manager = await startManager(count);
  let end: (() => Promise<void>) | undefined;
  try {
    end = await startBalancers(manager, folder);
    const from = cpuMs();
    const firstMs = await inForce(manager, new Map());
    const firstCpuMs = cpuMs() - from;
    for (const [what, taskId] of [
      [`${TASKS_EACH}`, 'service-7-3'],
      [`${LARGE}`, `service-${SERVICES}-3`],
    ] as const) {
      const { samplesMs, cpuEachMs } = await change(manager, taskId);
      const { p50Ms, p99Ms } = figuresOf(samplesMs);
      const columns = [
        String(count).padStart(5),
        `${(firstMs / 1000).toFixed(1)} s, ${(firstCpuMs / count).toFixed(1)} ms`.padStart(18),
        what.padStart(9),
        `${ms(p50Ms)} / ${ms(p99Ms)}`.padStart(16),
        ms(cpuEachMs).padStart(8),
        ((cpuEachMs * 1e3) / count).toFixed(0).padStart(12),
      ];
      console.log(columns.join('  '));
    }
  } finally {
    await end?.();
    await manager.stop();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'skep-bench-'));
try {
  console.log(
    `${SERVICES} services of ${TASKS_EACH} tasks and one of ${LARGE}, all published; state in memory`,
  );
  console.log('CPU is the manager’s, with the polling of this measurement; in force: p50 / p99');
  console.log('nodes  all told, CPU each  of tasks      in force ms  CPU ms   us CPU a node');
  for (const count of values.nodes.split(',').map(Number)) await measure(count, folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
