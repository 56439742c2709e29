import { SwarmError } from '../../base/errors.ts';
import { asArray, asObject, asString, type Json } from '../../base/json.ts';
import type { EngineEvent } from '../../engine/index.ts';
import { askEngine, tellEngine } from '../pool/ask-engine.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { splitPlaced } from '../containers/locate.ts';
import { noteLabels } from './networks-labels.ts';
import {
  collectNetworks,
  groupOf,
  isLocal,
  isOnNetwork,
  matchNetworks,
  networkNotFound,
  type ClusterNetwork,
  type NetworkMatch,
} from './networks-view.ts';
import type { Pool } from '../pool/pool.ts';

export type PoolNetwork = ClusterNetwork<EngineNode>;

/** How long engines may take to say whether they know what the index does not. */
const LOOKUP_TIMEOUT_MS = 2_000;
const MAX_REMEMBERED = 10_000;

/** What a placement was decided on is not true any more: decide again. */
export class PlanOutdated extends SwarmError {}

/**
 * The networks of the pool, and where the moving ones must be. A bridge that nothing uses moves to the node of its
 * first container: who is about to use one on a node claims it there, at once with choosing the node, and every
 * later choice sees the claim until the container itself is in the index.
 */
export class NetworkKeeper {
  readonly #pool: Pool;
  readonly #claims = new Map<string, { node: EngineNode; count: number }>();
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #names = new Set<{ readonly name: string; readonly node: EngineNode | undefined }>();
  readonly #waiting = new Map<string, Set<() => void>>();
  /** Names of containers that were removed, the latest last. */
  readonly #destroyed = new Set<string>();
  #collected: { key: string; networks: readonly PoolNetwork[] } | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
    pool.listen((node, event) => {
      if (isOfShared(event)) this.#markSharing(node);
      if (event.Type === 'container' && event.Action === 'destroy' && node.info?.clusterStore)
        this.#remember(event.Actor?.Attributes?.['name'] ?? '');
    });
  }

  /** Holds a name, of one node or of all, while a network gets it. Throws Docker's `conflict`. */
  holdName(name: string, node: EngineNode | undefined): () => void {
    for (const held of this.#names) {
      if (held.name === name && (!node || !held.node || held.node === node)) {
        throw new SwarmError('conflict', `network with name ${name} already exists`);
      }
    }
    const hold = { name, node };
    this.#names.add(hold);
    return () => void this.#names.delete(hold);
  }

  /** Every network of the cluster, as far as the index knows. */
  all(): readonly PoolNetwork[] {
    const nodes = this.#pool.nodes();
    const key = `${this.#pool.version} ${nodes.reduce((sum, node) => sum + node.inventory.version, 0)}`;
    if (this.#collected?.key !== key) {
      const lists = nodes.map((node) => ({ node, networks: told(node, nodes) }));
      this.#collected = { key, networks: collectNetworks(lists) };
    }
    return this.#collected.networks;
  }

  /** The networks that a reference may mean; engines are asked for what the index lacks. Throws `not-found`. */
  find(reference: string): Promise<NetworkMatch<EngineNode>>;
  /** The same, with undefined for what nobody knows. */
  find(reference: string, optional: 'optional'): Promise<NetworkMatch<EngineNode> | undefined>;
  async find(reference: string, optional?: 'optional'): Promise<NetworkMatch<EngineNode> | undefined> {
    const known = this.#match(reference);
    await this.#pool.settle(known?.networks.flatMap(({ nodes }) => nodes));
    const settled = (known && this.#match(reference)) ?? (await this.#findElsewhere(reference));
    if (!settled && !optional) throw networkNotFound(reference);
    return settled;
  }

  /** The network as it is now, wherever it has moved to; undefined when it is gone. */
  current(network: PoolNetwork): PoolNetwork | undefined {
    const { root, request, home } = network;
    // Machines made from one image may share ids of what every engine has by itself.
    return this.all().find((one) => one.root === root && (request || !isLocal(one) || one.home === home));
  }

  /** Of networks that a reference may mean, the one that a container on `node` gets. Throws `not-found`. */
  pickFor(node: EngineNode, reference: string, candidates: readonly PoolNetwork[]): PoolNetwork {
    const present = candidates.flatMap((candidate) => this.current(candidate) ?? []);
    const network = present.find(({ nodes }) => nodes.includes(node)) ?? present[0];
    if (!network) throw networkNotFound(reference);
    return network;
  }

  /** The node a local network has to stay on; undefined while it may still move. */
  fixedAt(network: PoolNetwork): EngineNode | undefined {
    const { home } = network;
    const claim = this.#claims.get(network.root);
    if (claim) return claim.node;
    return !network.request || !home.healthy || this.isUsed(network) ? home : undefined;
  }

  /** Where a network that may still move would best be: with the others of its group; `decided` when those can't move. */
  bestFor(network: PoolNetwork): { node: EngineNode; decided: boolean } {
    const group = groupOf(network);
    const others = this.all().filter((one) => isLocal(one) && one.request && groupOf(one) === group);
    for (const one of others) {
      const node = this.fixedAt(one);
      if (node) return { node, decided: true };
    }
    return { node: others[0]?.home ?? network.home, decided: false };
  }

  /** Whether a container, `running` or of any state, is on the network. */
  isUsed(network: PoolNetwork, running = false): boolean {
    return network.nodes.some((node) => {
      for (const container of node.inventory.containers.values()) {
        if (running && !['running', 'paused', 'restarting'].includes(container.state)) continue;
        if (isOnNetwork(container.summary, network)) return true;
      }
      return false;
    });
  }

  /**
   * Whether a container of this name was on a node of the pool and is over: removed, or there and not running. Nobody
   * else can have an endpoint of that name on a network that it was on.
   */
  isOver(name: string): boolean {
    const present = this.#pool.index.named(name);
    if (present.length === 0) return this.#destroyed.has(name);
    return present.every(({ node, state }) => node.healthy && ['created', 'exited', 'dead'].includes(state));
  }

  /** Keeps the network on `node` until the claim is released. Throws when it is claimed elsewhere. */
  claim(network: PoolNetwork, node: EngineNode): () => void {
    const claim = this.#claims.get(network.root) ?? { node, count: 0 };
    if (claim.node !== node) throw elsewhere(network, claim.node, node);
    claim.count += 1;
    this.#claims.set(network.root, claim);
    for (const wake of this.#waiting.get(groupOf(network)) ?? []) wake();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      claim.count -= 1;
      if (claim.count === 0) this.#claims.delete(network.root);
    };
  }

  /** Waits until somebody claims the network or one of its group, at most `timeoutMs`. */
  async claimed(network: PoolNetwork, timeoutMs: number): Promise<void> {
    const group = groupOf(network);
    const waiting = this.#waiting.get(group) ?? new Set();
    this.#waiting.set(group, waiting);
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        waiting.delete(wake);
        if (waiting.size === 0) this.#waiting.delete(group);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      waiting.add(wake);
    });
  }

  /**
   * Makes sure that a claimed network is on `node`, by moving it there if it is not, and gives it as it is there.
   * Throws `not-found`, `conflict`, the engine's words, or PlanOutdated when somebody uses it elsewhere.
   */
  bring(known: PoolNetwork, node: EngineNode): Promise<PoolNetwork> {
    const { name } = known;
    return this.exclusively(known, async () => {
      const network = this.current(known);
      if (!network) throw networkNotFound(name);
      if (!isLocal(network) || network.home === node) return network;
      if (!network.request) throw elsewhere(network, network.home, node);
      await this.#refuseUsed(network);
      await this.#move(network, network.request, node);
      const moved = this.current(network);
      if (!moved || moved.home !== node) throw new PlanOutdated('conflict', `network ${name} is gone again`);
      return moved;
    });
  }

  /** Runs what changes a network after everything else that changes it. */
  async exclusively<T>({ root }: PoolNetwork, task: () => Promise<T>): Promise<T> {
    const former = this.#tails.get(root) ?? Promise.resolve();
    const run = former.then(task, task);
    this.#tails.set(root, run);
    try {
      return await run;
    } finally {
      if (this.#tails.get(root) === run) this.#tails.delete(root);
    }
  }

  /** Takes a network that the manager has just made into the index; resolves when the engine's list tells of it. */
  async added(node: EngineNode, id: string): Promise<void> {
    const { inventory } = node;
    const answer = await askEngine(node, `/networks/${id}`);
    if (answer.status === 200) {
      const entry = asObject(JSON.parse(answer.body.toString('utf8')) as unknown);
      inventory.networks = [...inventory.networks.filter((other) => other['Id'] !== id), entry];
      inventory.version += 1;
      if (asString(entry['Scope']) !== 'local') this.#markSharing(node);
    }
    inventory.mark('networks');
    await this.#pool.settle([node]);
  }

  /** Forgets a network that the manager has just removed. */
  dropped(nodes: Iterable<EngineNode>, id: string): void {
    for (const { inventory } of nodes) {
      inventory.networks = inventory.networks.filter((entry) => entry['Id'] !== id);
      inventory.version += 1;
      inventory.mark('networks');
    }
  }

  #remember(name: string): void {
    if (name === '') return;
    this.#destroyed.delete(name);
    this.#destroyed.add(name);
    const [oldest = ''] = this.#destroyed;
    if (this.#destroyed.size > MAX_REMEMBERED) this.#destroyed.delete(oldest);
  }

  /** Engines that share a network learn of it, and of its end, by their own ways, without an event. */
  #markSharing(but: EngineNode): void {
    for (const node of this.#pool.healthy()) if (node !== but) node.inventory.mark('networks');
  }

  #match(reference: string): NetworkMatch<EngineNode> | undefined {
    return matchNetworks(this.all(), reference, splitPlaced(this.#pool, reference));
  }

  async #findElsewhere(reference: string): Promise<NetworkMatch<EngineNode> | undefined> {
    await this.#pool.settle();
    const settled = this.#match(reference);
    if (settled || reference === '') return settled;
    const placed = splitPlaced(this.#pool, reference);
    const asked = (placed ? [placed.node] : this.#pool.healthy()).filter((node) => node.healthy);
    const path = `/networks/${encodeURIComponent(placed?.name ?? reference)}`;
    await Promise.all(
      asked.map(async (node) => {
        try {
          const { status } = await node.client.call(node.path(path), { timeoutMs: LOOKUP_TIMEOUT_MS });
          if (status === 200) node.inventory.mark('networks');
        } catch {
          // An engine that does not answer can't say that it has it; its own loop deals with it.
        }
      }),
    );
    await this.#pool.settle(asked);
    return this.#match(reference);
  }

  /** Asks the engine itself: somebody there, or another manager, may have come first. */
  async #refuseUsed(network: PoolNetwork): Promise<void> {
    const { home, name, id } = network;
    const filters = encodeURIComponent(JSON.stringify({ network: [id, name] }));
    const answer = await tellEngine(home, `/containers/json?all=1&filters=${filters}`);
    const users = asArray(JSON.parse(answer.body.toString('utf8')) as unknown).map((user) =>
      asString(asObject(user)['Id']),
    );
    if (users.length === 0) return;
    for (const user of users) home.inventory.markContainer(user);
    await this.#pool.settle([home]);
    throw new PlanOutdated('conflict', `network ${name} is on node ${home.name}, where containers use it`);
  }

  async #move(network: PoolNetwork, request: Json, to: EngineNode): Promise<void> {
    const { id, name, home } = network;
    const notes = noteLabels({ request, formerIds: [...network.formerIds, id] });
    const json = { ...request, Name: name, CheckDuplicate: true, Labels: { ...network.labels, ...notes } };
    const made = await tellEngine(to, '/networks/create', { method: 'POST', json }).catch(
      (error: unknown) => {
        if (!(error instanceof SwarmError)) throw error;
        throw new SwarmError(
          error.code,
          `network ${name} can't move from ${home.name} to ${to.name}: ${error.message}`,
        );
      },
    );
    const newId = asString(asObject(JSON.parse(made.body.toString('utf8')) as unknown)['Id']);
    try {
      await this.added(to, newId);
      await tellEngine(home, `/networks/${id}`, { method: 'DELETE' });
    } catch (error) {
      // Somebody came to use the old one: it stays, and the new one must not be left beside it.
      await askEngine(to, `/networks/${newId}`, { method: 'DELETE' });
      this.dropped([to], newId);
      home.inventory.mark('networks');
      const why = error instanceof Error ? error.message : String(error);
      throw new PlanOutdated('conflict', `network ${name} can't leave node ${home.name}: ${why}`, {
        cause: error,
      });
    }
    this.dropped([home], id);
    this.#pool.log.info({ network: name, from: home.name, to: to.name }, 'Moved network');
  }
}

/** Drivers whose networks are always of one engine. */
const LOCAL_DRIVERS = new Set(['bridge', 'host', 'null', 'macvlan', 'ipvlan']);

/** Whether an event tells that a network came or went which other engines may share. */
function isOfShared({ Type, Action, Actor }: EngineEvent): boolean {
  if (Type !== 'network' || (Action !== 'create' && Action !== 'destroy')) return false;
  return !LOCAL_DRIVERS.has(Actor?.Attributes?.['type'] ?? '');
}

/** The networks that a node has; of the shared ones it was told last, those that answer know better. */
function told(node: EngineNode, nodes: readonly EngineNode[]): readonly Json[] {
  const { networks } = node.inventory;
  const store = node.info?.clusterStore ?? '';
  if (node.healthy || store === '') return networks;
  const answered = nodes.some((other) => other.healthy && other.info?.clusterStore === store);
  return answered ? networks.filter((entry) => asString(entry['Scope']) !== 'global') : networks;
}

/** The error of what must have a network where it can't be. */
export function elsewhere(network: PoolNetwork, at: EngineNode, wanted: EngineNode): SwarmError {
  return new SwarmError(
    'conflict',
    `network ${network.name} is on node ${at.name} and can't be used on node ${wanted.name}`,
  );
}
