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
import type { EngineNode } from '../pool/engine-node.ts';
import type { Pool } from '../pool/pool.ts';

/** A place that is held until the container is there, or is not to be. */
export interface Held {
  readonly node: EngineNode;
  release(): void;
}

/**
 * Chooses nodes and holds what it gave away: choosing and holding are one step, so that placements under way at the
 * same time never share a port, a name, or the last of a node's memory.
 */
export class Placer {
  readonly #pool: Pool;
  readonly #scheduler: Scheduler;
  readonly #names = new Set<string>();
  #count = 0;

  constructor(pool: Pool, options: { strategy: StrategyName; filters: readonly FilterName[] }) {
    this.#pool = pool;
    this.#scheduler = createScheduler({ ...options, random: Math.random });
  }

  /** Holds a name while a container gets it. Throws `conflict` in Docker's words when it is taken. */
  holdName(name: string): () => void {
    if (name === '') return () => undefined;
    const [holder] = this.#pool.index.named(name);
    if (holder || this.#names.has(name)) {
      const whom = holder ? `assigned to ${holder.id}` : 'assigned';
      throw new SwarmError(
        'conflict',
        `Conflict: The name ${name} is already ${whom}. You have to delete (or rename) that container to be able ` +
          `to assign ${name} to a container again.`,
      );
    }
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
