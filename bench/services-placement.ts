/**
 * How fast tasks of one service are placed, in the shapes of SwarmKit's own benchmark: from the start of the placing
 * loop on a store that holds nodes and pending tasks until every task is assigned, commits to a store in memory
 * included. Then the same with what services ask for: constraints, reservations, a preference.
 *
 *   bench/services-placement.ts [--json] [--quick] [--rounds N]
 *
 * Each figure is the best of the rounds (3): what else the machine does only adds to it.
 * Compared with: SwarmKit in Go on a machine of two such cores, store commits included: 0.107 s, 1.48 s and 18.5 s for
 * 1,000 nodes with 1,000, 10,000 and 100,000 tasks. Aim: ten times faster.
 */
import { parseArgs } from 'node:util';
import { SYSTEM_TIMES } from '../src/base/clock.ts';
import { createLog } from '../src/base/log.ts';
import type { Placement, Resources, Task, TaskSpec } from '../src/model/index.ts';
import { runPlacing } from '../src/orchestrator/index.ts';
import { NodeSet, requestOf, TaskGroup } from '../src/scheduler/index.ts';
import { memoryBackend, openStore, type Fresh, type Store } from '../src/store/index.ts';

const GIB = 2 ** 30;

interface Shape {
  readonly nodes: number;
  readonly tasks: number;
  /** What SwarmKit took. */
  readonly goSeconds?: number;
}

const SHAPES: readonly Shape[] = [
  { nodes: 1_000, tasks: 1_000, goSeconds: 0.107 },
  { nodes: 1_000, tasks: 10_000, goSeconds: 1.48 },
  { nodes: 1_000, tasks: 100_000, goSeconds: 18.5 },
  { nodes: 100_000, tasks: 100_000 },
];

const PLAIN: TaskSpec = { networks: [], forceUpdate: 0 };

const NOTHING: Resources = { nanoCpus: 0, memoryBytes: 0, generic: [] };

/** A third of the nodes satisfies it, and there is room for all. */
const placement: Placement = {
  constraints: ['node.labels.zone==zone-1', 'node.platform.os==linux', 'node.role!=manager'],
  spreadOver: ['node.labels.rack'],
  maxReplicas: 0,
  platforms: [{ os: 'linux', architecture: 'amd64' }],
};
const ASKING: TaskSpec = {
  ...PLAIN,
  placement,
  reservations: { ...NOTHING, nanoCpus: 1e8, memoryBytes: GIB / 16 },
};

function nodeOf(index: number): Fresh<'node'> {
  return {
    id: `node${index}`,
    spec: {
      annotations: {
        name: '',
        labels: { zone: `zone-${index % 3}`, rack: `rack-${Math.floor(index / 3) % 20}` },
      },
      role: 'worker',
      availability: 'active',
    },
    role: 'worker',
    status: { state: 'ready', message: '', addr: '192.0.2.1' },
    certificate: { csrPem: '', certPem: '', state: 'issued' },
    description: {
      hostname: `host-${index}`,
      platform: { os: 'linux', architecture: 'x86_64' },
      resources: { nanoCpus: 64e9, memoryBytes: 256 * GIB, generic: [] },
      engineVersion: '28.5.2',
      engineLabels: {},
      plugins: [],
      tls: { trustRootPem: '', issuerSubject: '', issuerPublicKey: '' },
      fips: false,
    },
    attachments: [],
  };
}

function taskOf(index: number, spec: TaskSpec): Fresh<'task'> {
  return {
    id: `task${index}`,
    serviceId: 'service',
    slot: index + 1,
    nodeId: '',
    annotations: { name: '', labels: {} },
    serviceAnnotations: { name: 'service', labels: {} },
    spec,
    specVersion: 1,
    status: {
      state: 'pending',
      timestampMs: 0,
      message: 'pending task scheduling',
      err: '',
      ports: [],
      appliedBy: '',
      appliedAtMs: 0,
    },
    desiredState: 'running',
    networks: [],
    assignedGenericResources: [],
  };
}

async function buildStore({ nodes, tasks }: Shape, spec: TaskSpec): Promise<Store> {
  const store = await openStore(memoryBackend(), {
    nowMs: () => Date.now(),
    onFault: (error) => console.error(error),
  });
  const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
  await store.batch(numbers(nodes), (tx, index) => void tx.create('node', nodeOf(index)));
  await store.batch(numbers(tasks), (tx, index) => void tx.create('task', taskOf(index, spec)));
  return store;
}

/** Milliseconds from the start of the loop until all is assigned. */
async function placeAll(store: Store, tasks: number): Promise<number> {
  const stop = new AbortController();
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let assigned = 0;
  const unwatch = store.watch((events) => {
    for (const event of events)
      if (event.kind === 'task' && event.object.status.state === 'assigned') assigned++;
    if (assigned >= tasks) resolve();
  });
  const started = performance.now();
  const loop = runPlacing({ store, times: SYSTEM_TIMES, log: createLog('error') }, stop.signal);
  await done;
  const elapsedMs = performance.now() - started;
  stop.abort();
  await loop;
  unwatch();
  return elapsedMs;
}

/** Milliseconds of the scheduling alone: filter, rank, deal and book. */
function scheduleOnly({ nodes, tasks }: Shape, spec: TaskSpec): number {
  const set = new NodeSet();
  for (let index = 0; index < nodes; index++) set.add({ ...nodeOf(index), meta: META });
  const all = Array.from({ length: tasks }, (_, index) => ({ ...taskOf(index, spec), meta: META }));
  const started = performance.now();
  let next = 0;
  const group = new TaskGroup(requestOf(all[0] as Task, () => undefined));
  const placed = group.place(set.list(), tasks, { nowMs: 0, random: Math.random }, (node) => {
    node.put(all[next++] as Task);
  });
  const elapsedMs = performance.now() - started;
  if (placed !== tasks) throw new Error(`${placed} of ${tasks} tasks were placed`);
  return elapsedMs;
}

const META = { version: 1, createdAtMs: 0, updatedAtMs: 0 };

/** The best of so many runs. */
async function best(rounds: number, run: () => number | Promise<number>): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < rounds; round++) least = Math.min(least, await run());
  return least;
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    quick: { type: 'boolean' },
    rounds: { type: 'string', default: '3' },
  },
});
const rounds = Math.max(1, Number(values.rounds) || 1);

if (!values.json) {
  console.log('Placement of the tasks of one service; seconds, all commits to a store in memory included');
  console.log('    nodes     tasks  asking        all   scheduling alone   SwarmKit   faster by');
}
const shapes = values.quick ? SHAPES.slice(0, 2) : SHAPES;
// What runs for the first time is compiled meanwhile; a manager runs for months.
for (const spec of [PLAIN, ASKING])
  await best(rounds, async () => placeAll(await buildStore({ nodes: 1_000, tasks: 10_000 }, spec), 10_000));
for (const asking of ['nothing', 'constraints'] as const) {
  const spec = asking === 'nothing' ? PLAIN : ASKING;
  for (const shape of shapes) {
    const allMs = await best(rounds, async () => placeAll(await buildStore(shape, spec), shape.tasks));
    const alone = await best(rounds, () => scheduleOnly(shape, spec));
    const figures = { nodes: shape.nodes, tasks: shape.tasks, asking, allMs, schedulingMs: alone };
    const go = shape.goSeconds;
    if (values.json) {
      console.log(JSON.stringify({ bench: 'services-placement', ...figures, goSeconds: go }));
      continue;
    }
    const seconds = (ms: number): string => (ms / 1000).toFixed(3);
    const compared =
      go && asking === 'nothing' ? [go.toFixed(3), ((go * 1000) / allMs).toFixed(1)] : ['-', '-'];
    console.log(
      `${String(shape.nodes).padStart(9)}${String(shape.tasks).padStart(10)}  ${asking.padEnd(11)}` +
        `${seconds(allMs).padStart(6)}${seconds(alone).padStart(19)}${compared[0]?.padStart(11)}${compared[1]?.padStart(12)}`,
    );
  }
}
