/**
 * How fast the scheduler places: every strategy on 100, 1,000 and 10,000 nodes, all filters on, with two
 * constraints, now and then an affinity, a published port and reservations. One placement is `place` and the
 * `put` that books it; from ten a node on, as many containers leave as come.
 *
 *   bench/placement.ts [--json] [--seconds N]
 *
 * Compared with: the Go original's published 230 ms (p50) a container on 1,000 nodes, which includes the engine.
 * Aim: over 10,000 placements a second on 1,000 nodes.
 */
import { parseArgs } from 'node:util';
import {
  createScheduler,
  DEFAULT_FILTERS,
  parseExpression,
  type PlacementRequest,
  SchedulerNode,
  STRATEGY_NAMES,
  type StrategyName,
} from '../src/scheduler/index.ts';
import { seeded } from '../test/seeded.ts';

const GIB = 2 ** 30;
const CONTAINERS_PER_NODE = 30;

interface Result {
  readonly nodes: number;
  readonly strategy: StrategyName;
  readonly placements: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p50PinnedUs: number;
  readonly p50RefusalUs: number;
}

function buildNodes(count: number): SchedulerNode[] {
  return Array.from({ length: count }, (_, index) => {
    const node = new SchedulerNode({
      id: `ID${index}`,
      name: `node-${index}`,
      address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:2375`,
      labels: {
        storagedriver: 'overlay2',
        kernelversion: '6.1.0',
        operatingsystem: 'Debian GNU/Linux 12',
        ostype: 'linux',
        zone: `zone-${index % 3}`,
        containerslots: '500',
      },
      totalNanoCpus: 64e9,
      totalMemoryBytes: 256 * GIB,
    });
    node.setImages([{ id: `sha256:${'0'.repeat(64)}`, tags: ['nginx:latest', 'redis:7'] }]);
    for (let container = 0; container < CONTAINERS_PER_NODE; container++) {
      node.put(facts(`${index}-${container}`, 20000 + container, 1e9 / 4, GIB / 4));
    }
    return node;
  });
}

function facts(id: string, port: number, nanoCpus: number, memoryBytes: number) {
  return {
    id,
    name: `name-${id}`,
    image: 'nginx',
    imageId: '',
    labels: { 'com.example.app': 'web' },
    ports: [{ hostIp: '', port, protocol: 'tcp' as const }],
    nanoCpus,
    memoryBytes,
  };
}

function buildRequest(index: number, port: number): PlacementRequest {
  return {
    name: `placed-${index}`,
    image: 'nginx',
    constraints: [
      parseExpression('constraint', `zone==zone-${index % 3}`),
      parseExpression('constraint', 'ostype==linux'),
    ],
    affinities: index % 4 === 0 ? [parseExpression('affinity', 'image==nginx')] : [],
    whitelists: [],
    nanoCpus: 1e9 / 2,
    memoryBytes: GIB / 2,
    ports: [{ hostIp: '', port, protocol: 'tcp' }],
    dependencies: [],
  };
}

function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function measure(count: number, strategy: StrategyName, forMs: number): Result {
  const nodes = buildNodes(count);
  const scheduler = createScheduler({ strategy, filters: DEFAULT_FILTERS, random: seeded(1).next });
  const timesUs: number[] = [];
  const kept: { node: SchedulerNode; id: string }[] = [];
  let serial = 0;

  const step = (): void => {
    const index = serial++;
    const port = 1000 + (index % 1000);
    const start = performance.now();
    const placement = scheduler.place(nodes, buildRequest(index, port));
    if (!placement.ok) throw new Error(placement.message);
    placement.node.put(facts(`placed-${index}`, port, 1e9 / 2, GIB / 2));
    timesUs.push((performance.now() - start) * 1000);
    const slot = index % (count * 10);
    const leaving = kept[slot];
    leaving?.node.delete(leaving.id);
    kept[slot] = { node: placement.node, id: `placed-${index}` };
  };

  const run = (ms: number): void => {
    const end = performance.now() + ms;
    while (performance.now() < end) step();
  };
  run(forMs / 4); // warm up
  timesUs.length = 0;
  const start = performance.now();
  run(forMs);
  const elapsedMs = performance.now() - start;
  const sorted = Float64Array.from(timesUs).sort();
  return {
    nodes: count,
    strategy,
    placements: timesUs.length,
    perSecond: Math.round((timesUs.length / elapsedMs) * 1000),
    p50Us: percentile(sorted, 0.5),
    p99Us: percentile(sorted, 0.99),
    p50PinnedUs: p50Of(nodes, strategy, true, (index) => ({
      ...buildRequest(index, 1),
      nanoCpus: 0, // binpack may have filled that very node
      memoryBytes: 0,
      constraints: [parseExpression('constraint', `node==node-${(index * 7919) % count}`)],
    })),
    p50RefusalUs: p50Of(nodes, strategy, false, (index) => buildRequest(index, 20000)),
  };
}

/** The median of single questions, nothing booked: one node asked for by name, or a port that is taken everywhere. */
function p50Of(
  nodes: readonly SchedulerNode[],
  strategy: StrategyName,
  expected: boolean,
  request: (index: number) => PlacementRequest,
): number {
  const scheduler = createScheduler({ strategy, filters: DEFAULT_FILTERS, random: seeded(1).next });
  const timesUs = Float64Array.from({ length: 100 }, (_, index) => {
    const asked = request(index);
    const start = performance.now();
    if (scheduler.place(nodes, asked).ok !== expected) throw new Error('not the answer that was expected');
    return (performance.now() - start) * 1000;
  });
  return percentile(timesUs.sort(), 0.5);
}

const { values } = parseArgs({ options: { json: { type: 'boolean' }, seconds: { type: 'string' } } });
const forMs = Number(values.seconds ?? '2') * 1000;

if (!values.json) {
  console.log('Placements with all filters, 30 containers a node at the start; times in µs');
  console.log('  nodes  strategy  placements/s      p50      p99   p50 pinned   p50 refused');
}
for (const count of [100, 1_000, 10_000]) {
  for (const strategy of STRATEGY_NAMES) {
    const result = measure(count, strategy, forMs);
    if (values.json) {
      console.log(JSON.stringify({ bench: 'placement', ...result }));
      continue;
    }
    const [p50, p99, pinned, refused] = [
      result.p50Us,
      result.p99Us,
      result.p50PinnedUs,
      result.p50RefusalUs,
    ].map((us) => us.toFixed(1));
    console.log(
      `${String(count).padStart(7)}  ${strategy.padEnd(8)}${String(result.perSecond).padStart(14)}` +
        `${p50?.padStart(9)}${p99?.padStart(9)}${pinned?.padStart(13)}${refused?.padStart(14)}`,
    );
  }
}
