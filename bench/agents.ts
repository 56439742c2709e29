/**
 * Simulated agents on one manager over real TLS: how fast they get their sessions, how many heartbeats are answered at
 * what cost, and how long it takes until all their tasks run. The agents live in processes of their own and share the
 * machine's cores with the manager, so a rate is what both together reach; CPU and memory are the manager's alone.
 *
 *   bench/agents.ts [--agents 1000,2500,5000] [--tasks-each 20]
 *
 * Aim: 5,000 agents and 100,000 tasks on one manager, nobody called down by mistake.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { messageOf } from '../src/base/errors.ts';
import { issueCertificate } from '../src/ca/node-certificate.ts';
import { keyPem, newKeyPair } from '../src/certs/index.ts';
import { createDispatcher, type Dispatcher } from '../src/dispatcher/index.ts';
import { startTestSwarm, type TestSwarm } from '../test/agents/index.ts';
import { taskFixture } from '../test/dispatcher/in-process.ts';
import { nodeFixture } from '../test/simulation/index.ts';
import type { Crew, CrewNumbers } from './agents-main.ts';

const PROCESSES = 2;
const STEADY_MS = 15_000;
const DEADLINE_MS = 5 * 60_000;
const MB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '1000,2500,5000' },
    'tasks-each': { type: 'string', default: '20' },
  },
});

/** A process of agents. */
class CrewProcess {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(file: string) {
    const main = fileURLToPath(new URL('./agents-main.ts', import.meta.url));
    this.#child = spawn(process.execPath, [main, file], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!this.#child.stdout) throw new Error('no output');
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async numbers(): Promise<CrewNumbers> {
    this.#child.stdin?.write('\n');
    const answer = (await this.#answers.next()) as IteratorResult<string, undefined>;
    return JSON.parse(answer.value ?? '{}') as CrewNumbers;
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 20_000);
    await ended.finally(() => clearTimeout(late));
  }
}

interface Manager {
  readonly swarm: TestSwarm;
  readonly dispatcher: Dispatcher;
  stop(): Promise<void>;
}

async function startManager(): Promise<Manager> {
  let dispatcher: Dispatcher | undefined;
  const swarm = await startTestSwarm({
    routes: (router, context) => {
      dispatcher ??= createDispatcher(context, {
        managerId: 'manager0',
        managers: () => [{ nodeId: 'manager0', addr: '127.0.0.1:2377' }],
      });
      dispatcher.routes(router);
    },
  });
  if (!dispatcher) throw new Error('no dispatcher');
  const end = new AbortController();
  const running = dispatcher.run(end.signal);
  return {
    swarm,
    dispatcher,
    stop: async () => {
      end.abort();
      await running;
      await swarm.close();
    },
  };
}

/** Nodes as if they had joined, and files for those who play them. */
async function enlist({ swarm }: Manager, count: number, folder: string): Promise<string[]> {
  const cluster = swarm.cluster();
  const { publicKey, privateKey } = await newKeyPair();
  const pem = await keyPem(privateKey);
  const ids = Array.from({ length: count }, (_, number) => `node${String(number).padStart(21, '0')}`);
  await swarm.store.batch(ids, (tx, id) => void tx.create('node', nodeFixture({ id, state: 'unknown' })));
  const crews = Array.from({ length: PROCESSES }, (): Crew['nodes'][number][] => []);
  for (const [number, nodeId] of ids.entries()) {
    const certPem = await issueCertificate(cluster, { nodeId, role: 'worker', publicKey, nowMs: Date.now() });
    crews[number % PROCESSES]?.push({ nodeId, certPem });
  }
  return crews.map((nodes, number) => {
    const file = join(folder, `crew-${number}.json`);
    const crew: Crew = { addr: swarm.addr, rootPem: cluster.rootCa.certPem, keyPem: pem, nodes };
    writeFileSync(file, JSON.stringify(crew), { mode: 0o600 });
    return file;
  });
}

async function until(what: string, holds: () => boolean): Promise<number> {
  const from = performance.now();
  while (!holds()) {
    if (performance.now() - from > DEADLINE_MS) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
    await sleep(50);
  }
  return (performance.now() - from) / 1000;
}

/** What `task` took, and the part of one core that the manager used meanwhile. */
async function withCpu<T>(task: () => Promise<T>): Promise<{ value: T; cores: number; seconds: number }> {
  const [from, cpu] = [performance.now(), process.cpuUsage()];
  const value = await task();
  const seconds = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { value, cores: (user + system) / 1e6 / seconds, seconds };
}

async function measure(count: number, tasksEach: number, folder: string): Promise<void> {
  const manager = await startManager();
  const { swarm, dispatcher } = manager;
  const { store } = swarm;
  const crews: CrewProcess[] = [];
  try {
    const files = await enlist(manager, count, folder);
    const ids = [...store.view.all('node')].map(({ id }) => id);
    let downs = 0;
    store.watch((events) => {
      for (const event of events)
        if (event.kind === 'node' && event.type === 'update' && event.object.status.state === 'down') downs++;
    });
    crews.push(...files.map((file) => new CrewProcess(file)));
    const sessions = await withCpu(() =>
      until('sessions', () => ids.every((id) => dispatcher.connected(id))),
    );
    await sleep(3000);
    const beats = async (): Promise<number> => {
      const numbers = await Promise.all(crews.map((crew) => crew.numbers()));
      return numbers.reduce((sum, { heartbeats }) => sum + heartbeats, 0);
    };
    const before = await beats();
    const steady = await withCpu(() => sleep(STEADY_MS));
    const heartbeats = ((await beats()) - before) / steady.seconds;

    const total = count * tasksEach;
    let runs = 0;
    store.watch((events) => {
      for (const event of events)
        if (event.kind === 'task' && event.type === 'update' && event.object.status.state === 'running')
          runs += event.previous.status.state === 'running' ? 0 : 1;
    });
    const { spec } = taskFixture();
    const places = Array.from({ length: total }, (_, number) => ids[number % count] ?? '');
    const running = await withCpu(async () => {
      await store.batch(places, (tx, nodeId) => void tx.create('task', taskFixture({ nodeId, spec })));
      await until('tasks', () => runs >= total);
    });
    const loaded = await withCpu(() => sleep(STEADY_MS));
    const { rss, heapUsed } = process.memoryUsage();
    const columns = [
      String(count).padStart(6),
      `${(count / sessions.seconds).toFixed(0)}/s (${sessions.seconds.toFixed(1)} s)`.padStart(18),
      `${heartbeats.toFixed(0)}/s`.padStart(10),
      steady.cores.toFixed(2).padStart(6),
      ((steady.cores / heartbeats) * 1e6).toFixed(0).padStart(11),
      String(total).padStart(8),
      `${running.seconds.toFixed(1)} s (${(total / running.seconds).toFixed(0)}/s)`.padStart(18),
      ((running.cores * running.seconds * 1e6) / total).toFixed(0).padStart(11),
      loaded.cores.toFixed(2).padStart(6),
      `${(rss / MB).toFixed(0)}/${(heapUsed / MB).toFixed(0)}`.padStart(11),
      String(downs).padStart(6),
    ];
    console.log(columns.join('  '));
    const [trouble] = (await Promise.all(crews.map((crew) => crew.numbers()))).filter(
      (one) => one.trouble !== '',
    );
    if (trouble) console.log(`        an agent's first trouble: ${trouble.trouble}`);
  } finally {
    await Promise.all(crews.map((crew) => crew.end()));
    await manager.stop();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'skep-bench-'));
try {
  console.log(
    'heartbeat 1.5 s; state in memory; cores and CPU are the manager’s; the last cores are with tasks',
  );
  console.log(
    'agents            sessions  heartbeats   cores  us CPU each     tasks         all running  us CPU each   cores  RSS/heap MB   downs',
  );
  for (const count of values.agents.split(',').map(Number))
    await measure(count, Number(values['tasks-each']), folder).catch((error: unknown) =>
      console.log(`${String(count).padStart(6)}  ${messageOf(error)}`),
    );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
