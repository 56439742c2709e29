import {
  byteText,
  collectRefusals,
  conditionLines,
  cpuText,
  failingFilter,
  lackText,
  refusalLines,
} from './explain.ts';
import { FILTERS } from './filters/index.ts';
import type { SchedulerNode } from './node.ts';
import { createRanking, type Demand, demandOf } from './ranking.ts';
import type {
  FilterName,
  FilterRefusal,
  Placement,
  PlacementFailure,
  PlacementFailureReason,
  PlacementRequest,
  PreparedFilter,
  StrategyName,
} from './types.ts';

export interface SchedulerOptions {
  readonly strategy: StrategyName;
  /** Applied in this order, then the caller's own. */
  readonly filters: readonly FilterName[];
  /** From 0 to below 1, as Math.random. */
  readonly random: () => number;
}

/**
 * Chooses nodes. It changes nothing: its caller puts the placement into the node it got before anything else
 * is placed, and so no node is overcommitted and no port given twice.
 */
export interface Scheduler {
  readonly strategy: StrategyName;
  readonly filters: readonly FilterName[];
  /** The best node for a request, or why there is none. An array of nodes is not copied. */
  place(
    nodes: Iterable<SchedulerNode>,
    request: PlacementRequest,
    extraFilters?: readonly PreparedFilter[],
  ): Placement;
  /** Every node that fits, best first; those that satisfy the soft expressions before the others. */
  order(
    nodes: Iterable<SchedulerNode>,
    request: PlacementRequest,
    extraFilters?: readonly PreparedFilter[],
  ): SchedulerNode[];
}

const isHard = (filter: PreparedFilter): boolean => filter.soft !== true;

export function createScheduler({ strategy, filters, random }: SchedulerOptions): Scheduler {
  const chosen = filters.map((name) => FILTERS[name]);
  const ranking = createRanking(strategy, random);

  function prepare(
    nodes: readonly SchedulerNode[],
    request: PlacementRequest,
    extraFilters: readonly PreparedFilter[],
  ): PreparedFilter[] {
    return [...chosen.flatMap((filter) => filter.prepare(request, nodes)), ...extraFilters];
  }

  return {
    strategy,
    filters,
    place(given, request, extraFilters = []) {
      const nodes = asArray(given);
      const prepared = prepare(nodes, request, extraFilters);
      const demand = demandOf(request);
      let node = ranking.best(nodes, prepared, demand);
      if (!node && !prepared.every(isHard)) node = ranking.best(nodes, prepared.filter(isHard), demand);
      return node ? { ok: true, node } : explainFailure(nodes, prepared, demand);
    },
    order(given, request, extraFilters = []) {
      const nodes = asArray(given);
      const prepared = prepare(nodes, request, extraFilters);
      const demand = demandOf(request);
      const wished = ranking.sorted(nodes, prepared, demand);
      if (prepared.every(isHard)) return wished;
      const first = new Set(wished);
      const others = nodes.filter((node) => !first.has(node));
      return [...wished, ...ranking.sorted(others, prepared.filter(isHard), demand)];
    },
  };
}

function asArray(nodes: Iterable<SchedulerNode>): readonly SchedulerNode[] {
  return Array.isArray(nodes) ? (nodes as readonly SchedulerNode[]) : [...nodes];
}

function failure(
  reason: PlacementFailureReason,
  head: readonly string[],
  refusals: readonly FilterRefusal[],
): PlacementFailure {
  return { ok: false, reason, message: [...head, ...refusalLines(refusals)].join('\n'), refusals };
}

function explainFailure(
  nodes: readonly SchedulerNode[],
  prepared: readonly PreparedFilter[],
  demand: Demand,
): PlacementFailure {
  const hard = prepared.filter(isHard);
  const health = hard.filter(({ name }) => name === 'health');
  const others = hard.filter(({ name }) => name !== 'health');
  // What is known of a node that does not answer is old: it is named once, under health.
  const alive = nodes.filter((node) => health.every((filter) => filter.check(node)));
  const resources: PreparedFilter = {
    name: 'resources',
    conditions: [],
    check: (node) => node.fits(demand.nanoCpus, demand.memoryBytes),
    explain: (node) => lackText(node, demand.nanoCpus, demand.memoryBytes),
  };
  const refusals = [...collectRefusals(nodes, health), ...collectRefusals(alive, [...others, resources])];
  if (alive.length === 0)
    return failure('no-healthy-node', ['No healthy node available in the cluster'], refusals);

  const tooLarge = tooLargeHints(alive, demand);
  const failing = tooLarge.length > 0 ? undefined : failingFilter(alive, others);
  if (failing === undefined) {
    return failure('no-resources', ['no resources available to schedule container', ...tooLarge], refusals);
  }
  const words = 'Unable to find a node that satisfies the following conditions ';
  return failure('filters', [words, ...conditionLines(prepared, failing)], refusals);
}

/** What to do about a request that no node could ever take, however empty. */
function tooLargeHints(nodes: readonly SchedulerNode[], { nanoCpus, memoryBytes }: Demand): string[] {
  const mostCpus = nodes.reduce((most, node) => Math.max(most, node.totalNanoCpus), 0);
  const mostMemory = nodes.reduce((most, node) => Math.max(most, node.totalMemoryBytes), 0);
  const hints: string[] = [];
  if (nanoCpus > mostCpus) {
    hints.push(
      `${cpuText(nanoCpus)} CPUs are asked for and the largest node has ${cpuText(mostCpus)}. ` +
        'CpuShares (-c, --cpu-shares) are read as a number of cores here; say --cpus for a share of one.',
    );
  }
  if (memoryBytes > mostMemory) {
    hints.push(
      `${byteText(memoryBytes)} memory is asked for and the largest node has ${byteText(mostMemory)}.`,
    );
  }
  return hints;
}
