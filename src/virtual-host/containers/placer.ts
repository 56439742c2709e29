import { SwarmError } from '../../base/errors.ts';
import {
  createScheduler,
  type ContainerFacts,
  type FilterName,
  type Placement,
  type PlacementRequest,
  type PreparedFilter,
  type Scheduler,
  type SchedulerNode,
  type StrategyName,
} from '../../scheduler/index.ts';
import { replacedBy } from './compose-labels.ts';
import type { Container } from '../pool/container.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import type { Pool } from '../pool/pool.ts';
import type { Metrics } from '../system/metrics.ts';

/** A place that is held until the container is there, or is not to be. */
export interface Held {
  readonly node: EngineNode;
  release(): void;
}

/** Docker's error for a name that is taken, by the container `id` where that is known. */
export function nameConflict(name: string, id?: string): SwarmError {
  const whom = id === undefined ? 'assigned' : `assigned to ${id}`;
  return new SwarmError(
    'conflict',
    `Conflict: The name ${name} is already ${whom}. You have to delete (or rename) that container to be able ` +
      `to assign ${name} to a container again.`,
  );
}

/**
 * Chooses nodes and holds what it gave away: choosing and holding are one step, so that placements under way at the
 * same time never share a port, a name, or the last of a node's memory.
 */
export class Placer {
  readonly #pool: Pool;
  readonly #scheduler: Scheduler;
  readonly #metrics: Pick<Metrics, 'placed'>;
  readonly #names = new Set<string>();
  #count = 0;

  constructor(
    pool: Pool,
    options: { strategy: StrategyName; filters: readonly FilterName[]; metrics: Pick<Metrics, 'placed'> },
  ) {
    this.#pool = pool;
    this.#metrics = options.metrics;
    this.#scheduler = createScheduler({ ...options, random: Math.random });
  }

  /**
   * Holds a name while a container gets it; the one that it `replaces` may have it. Throws `conflict` in Docker's words
   * when it is taken.
   */
  holdName(name: string, replaces?: Container): () => void {
    if (name === '') return () => undefined;
    const holder = this.#pool.index.named(name).find(({ id }) => id !== replaces?.id);
    if (holder || this.#names.has(name)) throw nameConflict(name, holder?.id);
    this.#names.add(name);
    return () => void this.#names.delete(name);
  }

  /** How many nodes could take the request at this moment. */
  countFitting(request: PlacementRequest, extraFilters: readonly PreparedFilter[] = []): number {
    const places = this.#pool.nodes().flatMap((node) => (node.info ? [node.sched] : []));
    return this.#scheduler.order(places, request, extraFilters).length;
  }

  /** The best node for the request, its share held. Throws the scheduler's explanation when there is none. */
  hold(
    request: PlacementRequest,
    facts: Omit<ContainerFacts, 'id'>,
    extraFilters: readonly PreparedFilter[] = [],
  ): Held {
    return this.#metrics.placed(() => this.#hold(request, facts, extraFilters));
  }

  #hold(
    request: PlacementRequest,
    facts: Omit<ContainerFacts, 'id'>,
    extraFilters: readonly PreparedFilter[],
  ): Held {
    const byPlace = new Map<SchedulerNode, EngineNode>();
    for (const node of this.#pool.nodes()) if (node.info) byPlace.set(node.sched, node);
    const restore = this.#freeReplaced(facts.labels);
    const placement = ((): Placement => {
      try {
        return this.#scheduler.place(byPlace.keys(), request, extraFilters);
      } finally {
        restore();
      }
    })();
    if (!placement.ok) throw new SwarmError('internal', placement.message);
    const node = byPlace.get(placement.node);
    if (!node) throw new SwarmError('internal', 'the scheduler chose a node that is not in the pool');
    this.#count += 1;
    const id = `placement-${this.#count}`;
    node.sched.put({ ...facts, id });
    return { node, release: () => node.sched.delete(id) };
  }

  /**
   * Lets what the container holds that one with these labels replaces count for nothing, until it is restored. Where
   * several could be meant, this is no replacement, and nothing is freed.
   */
  #freeReplaced(labels: Readonly<Record<string, string>>): () => void {
    const isReplaced = replacedBy(labels);
    if (!isReplaced) return () => undefined;
    const [replaced, another] = this.#pool.index.newestFirst().filter((each) => isReplaced(each.labels));
    const place = replaced?.node.sched;
    const facts = replaced && place?.get(replaced.id);
    if (!place || !facts || another) return () => undefined;
    place.put({ ...facts, ports: [], nanoCpus: 0, memoryBytes: 0 });
    return () => place.put(facts);
  }
}
