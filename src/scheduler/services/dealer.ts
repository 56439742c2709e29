import type { NodeInfo } from './node-info.ts';
import { MANY_FAILURES } from './recent-failures.ts';
import type { TaskRequest } from './task-request.ts';

/** What ranks a node: whole numbers below these, in one number. */
const TASKS = 2 ** 21;

/** Where a node stands before its number of tasks is looked at: many failures first, then its tasks of the service. */
export type Level = (node: NodeInfo) => number;

export function levelFor({ serviceId, failureKey }: TaskRequest, nowMs: number): Level {
  return (node) => {
    const failures = node.failures(failureKey, nowMs);
    return (failures >= MANY_FAILURES ? failures * TASKS : 0) + node.activeTasksOf(serviceId);
  };
}

/** The best `limit` nodes, best first; of equals the first given first. */
function ranked(nodes: readonly NodeInfo[], levelOf: Level, limit: number): NodeInfo[] {
  // Many nodes are equal: to sort the few different ranks is cheaper than to sort the nodes.
  const buckets = new Map<number, NodeInfo[]>();
  for (const node of nodes) {
    const rank = levelOf(node) * TASKS + node.activeTasks;
    const bucket = buckets.get(rank);
    if (bucket) bucket.push(node);
    else buckets.set(rank, [node]);
  }
  const best: NodeInfo[] = [];
  for (const rank of [...buckets.keys()].sort((a, b) => a - b)) {
    for (const node of buckets.get(rank) ?? []) {
      if (best.length === limit) return best;
      best.push(node);
    }
  }
  return best;
}

/**
 * Deals equal tasks to nodes that fit: each time to the one with the fewest of the service, among those the one with
 * the fewest of all. Nodes are ranked once. A node that took one stands a level higher, and those that took one
 * keep their order; so each level is the merge of two rows that are in order already.
 */
export class Dealer {
  readonly #fitsAgain: (node: NodeInfo) => boolean;
  readonly #levelOf: Level;
  /** Those that took none yet, best first. */
  readonly #rest: readonly NodeInfo[];
  #restAt = 0;
  /** Those whose turn it is. */
  #queue: readonly NodeInfo[] = [];
  #queueAt = 0;
  /** Those that had their turn at this level and take more. */
  #served: NodeInfo[] = [];
  #level = 0;

  /** `limit` is the most that will ever be dealt; `fitsAgain` is asked of a node after it took one. */
  constructor(
    nodes: readonly NodeInfo[],
    levelOf: Level,
    limit: number,
    fitsAgain: (node: NodeInfo) => boolean,
  ) {
    this.#levelOf = levelOf;
    this.#fitsAgain = fitsAgain;
    this.#rest = ranked(nodes, levelOf, limit);
  }

  /** Deals up to `count` tasks, and returns how many; fewer when no node takes any more. `give` puts the task on the node. */
  deal(count: number, give: (node: NodeInfo) => void): number {
    for (let dealt = 0; dealt < count; dealt++) {
      const node = this.#next();
      if (!node) return dealt;
      give(node);
      if (this.#fitsAgain(node)) this.#served.push(node);
    }
    return count;
  }

  #next(): NodeInfo | undefined {
    if (this.#queueAt === this.#queue.length) this.#rise();
    return this.#queue[this.#queueAt++];
  }

  /** Goes on to the next level that has nodes. */
  #rise(): void {
    const first = this.#rest[this.#restAt];
    if (this.#served.length > 0) this.#level++;
    else if (first) this.#level = this.#levelOf(first);
    const from = this.#restAt;
    while (this.#restAt < this.#rest.length && this.#standsHere(this.#rest[this.#restAt])) this.#restAt++;
    this.#queue = merge(this.#served, this.#rest.slice(from, this.#restAt));
    this.#queueAt = 0;
    this.#served = [];
  }

  #standsHere(node: NodeInfo | undefined): boolean {
    return node !== undefined && this.#levelOf(node) === this.#level;
  }
}

/** Two rows in the order of their numbers of tasks, as one; of equals those that took none first. */
function merge(served: readonly NodeInfo[], others: readonly NodeInfo[]): readonly NodeInfo[] {
  if (others.length === 0) return served;
  if (served.length === 0) return others;
  const merged: NodeInfo[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [left, right] = [served[i], others[j]];
    if (left && (!right || left.activeTasks < right.activeTasks)) {
      merged.push(left);
      i++;
    } else if (right) {
      merged.push(right);
      j++;
    } else return merged;
  }
}
