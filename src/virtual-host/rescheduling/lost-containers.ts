import type { Json } from '../../base/json.ts';
import type { PoolNetwork } from '../networks/networks-keeper.ts';
import { collectNetworks, isLocal, isOnNetwork } from '../networks/networks-view.ts';
import { isRunning, type Container } from '../pool/container.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { readRemains } from '../pool/remains.ts';
import { movesOnFailure, swarmIdOf } from '../pool/reschedule-labels.ts';
import { dataLeft, endpointsIn, recipeOf } from './recipe.ts';

/** A local network of a lost node. */
export interface LostNetwork {
  readonly network: PoolNetwork;
  /** Whether a container on it stays behind, and needs it when the node is back. */
  readonly stays: boolean;
}

/** A container whose node is lost, and that is to be made again elsewhere. */
export interface LostContainer {
  /** As it was last seen. */
  readonly container: Container;
  /** The body that it is made again with, as a client of the manager would send it. */
  readonly body: Json;
  /** The local networks that it was on. */
  readonly networks: readonly LostNetwork[];
  /** What of its data stays on its node, in words. */
  readonly data: readonly string[];
  readonly swarmId: string;
  /** The node it was on, which may have left the pool. */
  readonly engineId: string;
  readonly nodeName: string;
  /** Whether it is to be started. */
  readonly running: boolean;
  /** How often it was tried, when it was last, and when it is next; on the process's clock. */
  tries: number;
  triedMs: number;
  dueMs: number;
  /** Not tried before, whatever changes. */
  notBeforeMs: number;
  /** Why the last try failed; empty before. */
  trouble: string;
  /** Nodes that could make it and not start it. */
  readonly refusers: Set<EngineNode>;
  /** The addresses that the user gave it are taken: it goes without them. */
  withoutAddresses: boolean;
}

/** What the node has that is to be made again when it is lost, as it is at this moment; but none that `isKnown`. */
export function containersToMove(
  node: EngineNode,
  nowMs: number,
  isKnown: (container: Container) => boolean = () => false,
): LostContainer[] {
  const all = [...node.inventory.containers.values()];
  const moving = all.filter(
    (each) => each.details.remains !== undefined && movesOnFailure(each.labels) && !isKnown(each),
  );
  if (moving.length === 0) return [];
  const staying = all.filter(({ labels }) => !movesOnFailure(labels));
  const networks = collectNetworks([{ node, networks: node.inventory.networks }])
    .filter(isLocal)
    .map((network) => ({
      network,
      stays: staying.some(({ summary }) => isOnNetwork(summary, network)),
    }));
  return moving.map((container) => lostContainer(node, container, networks, nowMs));
}

function lostContainer(
  node: EngineNode,
  container: Container,
  networks: readonly LostNetwork[],
  nowMs: number,
): LostContainer {
  const inspected = readRemains(container.details.remains ?? '{}');
  const swarmId = swarmIdOf(container);
  const { stops } = node.inventory;
  // What it shares things with was on the same node.
  const nameOf = (id: string): string | undefined => node.inventory.known(id)?.name;
  const body = recipeOf({ inspected, swarmId, cores: node.cores, nameOf });
  const endpoints = endpointsIn(body);
  return {
    container,
    body,
    networks: networks.filter(({ network }) => Object.hasOwn(endpoints, network.name)),
    data: dataLeft(inspected),
    swarmId,
    engineId: node.id,
    nodeName: node.name,
    running: isRunning(container) || stops.byDaemon(container.id, node.silentSinceMs ?? nowMs),
    tries: 0,
    triedMs: -Infinity,
    dueMs: nowMs,
    notBeforeMs: -Infinity,
    trouble: '',
    refusers: new Set(),
    withoutAddresses: false,
  };
}

/** The lost containers, each once, whichever of its copies was lost last. */
export class LostContainers {
  readonly #bySwarmId = new Map<string, LostContainer>();

  get size(): number {
    return this.#bySwarmId.size;
  }

  /** Those made first come first: others may depend on them. */
  all(): LostContainer[] {
    return [...this.#bySwarmId.values()].sort((a, b) => a.container.created - b.container.created);
  }

  add(found: readonly LostContainer[]): void {
    for (const lost of found) {
      // A copy that was lost before it was started is still to be started.
      const running = lost.running || (this.#bySwarmId.get(lost.swarmId)?.running ?? false);
      this.#bySwarmId.set(lost.swarmId, { ...lost, running });
    }
  }

  /** Whether the loss of this container is known already. */
  knows(container: Container): boolean {
    return this.#bySwarmId.get(swarmIdOf(container))?.container.id === container.id;
  }

  /** Whether one with this swarm id is lost. */
  hasId(swarmId: string): boolean {
    return this.#bySwarmId.has(swarmId);
  }

  /** Whether this container is still lost; not when its node is back, or another copy of it was lost since. */
  has(lost: LostContainer): boolean {
    return this.#bySwarmId.get(lost.swarmId) === lost;
  }

  delete(lost: LostContainer): void {
    if (this.has(lost)) this.#bySwarmId.delete(lost.swarmId);
  }

  /** The engine is back, and its containers with it. */
  returned(engineId: string): void {
    for (const lost of this.all()) if (lost.engineId === engineId) this.delete(lost);
  }

  /** Something has changed that may let a container be placed: all are tried again, but each not more often than `everyMs`. */
  hurry(everyMs: number): void {
    for (const lost of this.#bySwarmId.values()) {
      lost.dueMs = Math.max(lost.notBeforeMs, Math.min(lost.dueMs, lost.triedMs + everyMs));
    }
  }

  /** Nothing that is lost now is tried before then. */
  hold(untilMs: number): void {
    for (const lost of this.#bySwarmId.values()) {
      lost.notBeforeMs = untilMs;
      lost.dueMs = Math.max(lost.dueMs, untilMs);
    }
  }
}
