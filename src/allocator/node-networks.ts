import type { Task } from '../model/index.ts';

interface Place {
  readonly nodeId: string;
  readonly networkIds: readonly string[];
}

/**
 * Which overlay networks each node takes part in: those of the tasks whose rows name it. Ended tasks count as well:
 * their agent keeps the containers, and with them the network and the node's address on it, until their rows go.
 */
export class NodeNetworks {
  readonly #places = new Map<string, Place>();
  readonly #counts = new Map<string, Map<string, number>>();

  /** Takes note of a task as it is now. Returns the nodes whose networks changed. */
  set(taskId: string, task: Task | undefined): readonly string[] {
    const before = this.#places.get(taskId);
    const after = task && placeOf(task);
    if (isSame(before, after)) return [];
    const changed: string[] = [];
    if (after) {
      this.#places.set(taskId, after);
      changed.push(...this.#add(after, 1));
    } else this.#places.delete(taskId);
    if (before) changed.push(...this.#add(before, -1));
    return changed;
  }

  of(nodeId: string): Iterable<string> {
    return this.#counts.get(nodeId)?.keys() ?? [];
  }

  nodesWith(networkId: string): readonly string[] {
    return [...this.#counts].flatMap(([nodeId, counts]) => (counts.has(networkId) ? [nodeId] : []));
  }

  #add({ nodeId, networkIds }: Place, step: number): readonly string[] {
    const counts = this.#counts.get(nodeId) ?? new Map<string, number>();
    this.#counts.set(nodeId, counts);
    let isChanged = false;
    for (const id of networkIds) {
      const before = counts.get(id) ?? 0;
      const after = before + step;
      if (after > 0) counts.set(id, after);
      else counts.delete(id);
      isChanged ||= before === 0 || after === 0;
    }
    if (counts.size === 0) this.#counts.delete(nodeId);
    return isChanged ? [nodeId] : [];
  }
}

function placeOf({ nodeId, networks }: Task): Place | undefined {
  if (nodeId === '') return undefined;
  const overlay = networks.filter(({ addresses }) => addresses.length > 0);
  return overlay.length === 0
    ? undefined
    : { nodeId, networkIds: [...new Set(overlay.map(({ networkId }) => networkId))] };
}

function isSame(a: Place | undefined, b: Place | undefined): boolean {
  if (!a || !b) return a === b;
  return (
    a.nodeId === b.nodeId &&
    a.networkIds.length === b.networkIds.length &&
    a.networkIds.every((id, i) => id === b.networkIds[i])
  );
}
