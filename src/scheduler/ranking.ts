import { reserved, type SchedulerNode } from './node.ts';
import type { PlacementRequest, PreparedFilter, StrategyName } from './types.ts';

/** What a placement takes from its node. */
export interface Demand {
  readonly nanoCpus: number;
  readonly memoryBytes: number;
}

export function demandOf({ nanoCpus, memoryBytes }: PlacementRequest): Demand {
  return { nanoCpus: reserved(nanoCpus), memoryBytes: reserved(memoryBytes) };
}

type Check = PreparedFilter['check'];

/** The last filters first: they hold what the user wrote, which refuses most and asks least. */
function checksOf(filters: readonly PreparedFilter[]): Check[] {
  return filters.map(({ check }) => check).reverse();
}

/** The strategy as a sign: little weight first, much weight first, or weight does not matter. */
const DIRECTION: Readonly<Record<StrategyName, 1 | -1 | 0>> = { spread: 1, binpack: -1, random: 0 };

/** How often chance is tried before all nodes are looked at. */
const MAX_DRAWS = 16;

export interface Ranking {
  /** The best of the nodes that the filters accept and that have the room. */
  best(
    nodes: readonly SchedulerNode[],
    filters: readonly PreparedFilter[],
    demand: Demand,
  ): SchedulerNode | undefined;
  /** All of them, best first. */
  sorted(
    nodes: readonly SchedulerNode[],
    filters: readonly PreparedFilter[],
    demand: Demand,
  ): SchedulerNode[];
}

function accepts(checks: readonly Check[], node: SchedulerNode): boolean {
  for (let index = 0; index < checks.length; index++) if (!checks[index]!(node)) return false;
  return true;
}

/**
 * Failures count before weight, weight before the number of containers. Among equal nodes chance decides, so
 * that managers which know nothing of each other do not all choose the same.
 */
export function createRanking(strategy: StrategyName, random: () => number): Ranking {
  const direction = DIRECTION[strategy];

  /** Chance among the nodes that fit. Drawing until one does is as even as a choice from their list, and mostly much sooner done. */
  function draw(nodes: readonly SchedulerNode[], checks: readonly Check[], demand: Demand) {
    for (let tries = 0; tries < MAX_DRAWS; tries++) {
      const node = nodes[Math.floor(random() * nodes.length)];
      if (node?.trouble === 0 && node.fits(demand.nanoCpus, demand.memoryBytes) && accepts(checks, node)) {
        return node;
      }
    }
    const fitting = nodes.filter(
      (node) => node.fits(demand.nanoCpus, demand.memoryBytes) && accepts(checks, node),
    );
    const least = fitting.reduce((trouble, node) => Math.min(trouble, node.trouble), Infinity);
    const candidates = fitting.filter((node) => node.trouble === least);
    return candidates[Math.floor(random() * candidates.length)];
  }

  /**
   * One pass from a random start, in which the first of equals stays. Filters are asked only about nodes that
   * would be chosen, and so about few: the figures of a node lie together in memory, while every look-up of a
   * filter goes elsewhere. Allocates nothing.
   */
  function scan(
    nodes: readonly SchedulerNode[],
    checks: readonly Check[],
    { nanoCpus, memoryBytes }: Demand,
  ) {
    let best: SchedulerNode | undefined;
    let bestTrouble = Infinity;
    let bestWeight = Infinity;
    let bestCount = Infinity;
    const start = Math.floor(random() * nodes.length);
    for (let step = 0, index = start; step < nodes.length; step++, index++) {
      if (index === nodes.length) index = 0;
      const node = nodes[index]!;
      const trouble = node.trouble;
      if (trouble > bestTrouble || !node.fits(nanoCpus, memoryBytes)) continue;
      const weight = direction * node.weight(nanoCpus, memoryBytes);
      const count = direction * node.containerCount;
      if (trouble === bestTrouble) {
        if (weight > bestWeight || (weight === bestWeight && count >= bestCount)) continue;
      }
      if (!accepts(checks, node)) continue;
      best = node;
      bestTrouble = trouble;
      bestWeight = weight;
      bestCount = count;
    }
    return best;
  }

  return {
    best(nodes, filters, demand) {
      const checks = checksOf(filters);
      return direction === 0 ? draw(nodes, checks, demand) : scan(nodes, checks, demand);
    },
    sorted(nodes, filters, { nanoCpus, memoryBytes }) {
      const checks = checksOf(filters);
      return nodes
        .filter((node) => node.fits(nanoCpus, memoryBytes) && accepts(checks, node))
        .map((node) => ({ node, weight: node.weight(nanoCpus, memoryBytes), lot: random() }))
        .sort((a, b) => {
          if (a.node.trouble !== b.node.trouble) return a.node.trouble < b.node.trouble ? -1 : 1;
          const order = direction * (a.weight - b.weight || a.node.containerCount - b.node.containerCount);
          return order || a.lot - b.lot;
        })
        .map(({ node }) => node);
    },
  };
}
