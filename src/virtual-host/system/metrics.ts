import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Context, Handler } from '../context.ts';
import {
  Counter,
  EXPOSITION_TYPE,
  Histogram,
  expositionText,
  gauge,
  readCounter,
  type Family,
  type Sample,
} from './exposition.ts';

const ENGINE_STATES = ['Pending', 'Healthy', 'Unhealthy'];
const CONTAINER_STATES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const SECONDS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1];
const LAG_RESOLUTION_MS = 20;

/** What the manager counts as it goes; docs/reference/metrics.md explains each. */
export class Metrics {
  readonly placements = new Counter(
    'skep_placements_total',
    'Choices of a node for a container, a build or a network: placed, or refused because none fits.',
    [{ result: 'placed' }, { result: 'refused' }],
  );
  readonly placementTime = new Histogram(
    'skep_placement_duration_seconds',
    'How long choosing a node took.',
    SECONDS,
  );
  /** Bumped by the rescheduler. */
  readonly reschedules = new Counter(
    'skep_reschedules_total',
    'Containers of lost nodes that were made again on another node, and tries at that which failed.',
    [{ result: 'moved' }, { result: 'failed' }],
  );
  #lag: ReturnType<typeof monitorEventLoopDelay> | undefined;

  /** Runs a choice of a node, counts and times it. A choice that throws is a refusal. */
  placed<T>(choose: () => T): T {
    const sinceMs = performance.now();
    let result = 'refused';
    try {
      const chosen = choose();
      result = 'placed';
      return chosen;
    } finally {
      this.placementTime.observe((performance.now() - sinceMs) / 1000);
      this.placements.inc({ result });
    }
  }

  /** How late timers fire at the worst, in seconds, since this was last asked; nothing is measured before. */
  lagSeconds(): number {
    const nanos = this.#lag?.max ?? 0;
    this.#lag ??= monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
    this.#lag.enable();
    this.#lag.reset();
    return Math.max(0, nanos / 1e9 - LAG_RESOLUTION_MS / 1000);
  }
}

/** `GET /metrics`: in Prometheus's text format, of this manager, whether it is the primary or not. */
export const metricsPage: Handler = (call, context) => {
  call.body(200, EXPOSITION_TYPE, expositionText(families(context)));
};

function families(context: Context): Family[] {
  const { metrics, calls } = context;
  return [
    ...clusterFamilies(context),
    calls.requests,
    calls.latency,
    gauge(
      'skep_api_requests_in_progress',
      'Requests under way; streams go on until one side ends them.',
      () => {
        const open = [...calls.open];
        const streams = open.filter(({ isStream }) => isStream).length;
        return [
          { labels: { kind: 'answer' }, value: open.length - streams },
          { labels: { kind: 'stream' }, value: streams },
        ];
      },
    ),
    metrics.placements,
    metrics.placementTime,
    metrics.reschedules,
    ...processFamilies(metrics),
  ];
}

function clusterFamilies({ pool, leadership, config }: Context): Family[] {
  const nodes = pool.nodes();
  const containers = nodes.flatMap((node) => [...node.inventory.containers.values()]);
  const each = (read: (node: (typeof nodes)[number]) => number): number =>
    nodes.reduce((sum, node) => sum + read(node), 0);
  const { version, commit } = config;
  return [
    gauge('skep_build_info', 'The version, as labels; always 1.', () => [
      { labels: { version, commit }, value: 1 },
    ]),
    gauge('skep_leader', '1 while this manager is the primary.', () => (leadership.leads() ? 1 : 0)),
    gauge(
      'skep_discovery_trouble',
      '1 while the discovery service fails; the last known engines stay.',
      () => (pool.discoveryTrouble === '' ? 0 : 1),
    ),
    gauge('skep_engines', 'Engines by state.', () =>
      countBy(
        nodes.map((node) => node.state),
        ENGINE_STATES,
      ),
    ),
    gauge('skep_containers', 'Containers by state, as their engines last told.', () =>
      countBy(
        containers.map((container) => container.state),
        CONTAINER_STATES,
      ),
    ),
    gauge('skep_cpus', 'Cores of the engines, overcommit included.', () =>
      each(({ sched }) => sched.totalNanoCpus / 1e9),
    ),
    gauge('skep_cpus_reserved', 'Cores that containers have reserved.', () =>
      each(({ sched }) => sched.usedNanoCpus / 1e9),
    ),
    gauge('skep_memory_bytes', 'Memory of the engines, overcommit included.', () =>
      each(({ sched }) => sched.totalMemoryBytes),
    ),
    gauge('skep_memory_reserved_bytes', 'Memory that containers have reserved.', () =>
      each(({ sched }) => sched.usedMemoryBytes),
    ),
  ];
}

/** A sample for each state: the known ones also where there is nothing, others where they turn up. */
function countBy(values: Iterable<string>, known: readonly string[]): Sample[] {
  const counts = new Map(known.map((state) => [state, 0]));
  for (const state of values) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, value]) => ({ labels: { state: state.toLowerCase() }, value }));
}

/** The names that Prometheus's own clients use. */
function processFamilies(metrics: Metrics): Family[] {
  const startedS = Math.round(Date.now() / 1000 - process.uptime());
  const memory = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return [
    readCounter('process_cpu_seconds_total', 'CPU time, user and system.', () => (user + system) / 1e6),
    gauge('process_resident_memory_bytes', 'Memory of the process.', () => memory.rss),
    gauge('process_start_time_seconds', 'When the process started, since 1970.', () => startedS),
    gauge('process_open_fds', 'Open file descriptors.', () => readdirSync('/proc/self/fd').length),
    gauge('nodejs_heap_size_used_bytes', 'Heap in use.', () => memory.heapUsed),
    gauge('nodejs_external_memory_bytes', 'Memory of buffers and the like, outside of the heap.', () => {
      return memory.external;
    }),
    gauge(
      'nodejs_eventloop_lag_max_seconds',
      'How late timers fired at the worst, since the last look.',
      () => metrics.lagSeconds(),
    ),
  ];
}
