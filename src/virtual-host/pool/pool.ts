import type { Logger } from 'pino';
import { SwarmError, messageOf } from '../../base/errors.ts';
import type { Discovery } from '../../discovery/index.ts';
import { parseEngineAddress, type EngineEvent } from '../../engine/index.ts';
import type { ApiMinor } from '../../docker-api/index.ts';
import { ContainerIndex } from './container-index.ts';
import { EngineNode, type NodeHost, type NodeSettings } from './engine-node.ts';

/** Called with every event of every engine, as it comes. */
export type EventListener = (node: EngineNode, event: EngineEvent) => void;

/** Called when a node's state, or what is shown of it, has changed; the last time while it still has what it had. */
export type NodeListener = (node: EngineNode) => void;

/** What an engine without a version of its own is spoken to in: the oldest one served. */
const FALLBACK_MINOR: ApiMinor = 41;

/** The engines of the cluster: those that discovery names, each with its own life. */
export class Pool implements NodeHost {
  readonly settings: NodeSettings;
  readonly log: Logger;
  readonly index = new ContainerIndex();
  readonly #discovery: Discovery;
  readonly #nodes = new Map<string, EngineNode>();
  readonly #ids = new Map<string, EngineNode>();
  readonly #listeners = new Set<EventListener>();
  readonly #nodeListeners = new Set<NodeListener>();
  readonly #stop = new AbortController();
  #advertised: ApiMinor | undefined;
  /** What is wrong with discovery; empty while it works. */
  discoveryTrouble = '';
  /** Changes whenever a node comes, goes, or changes its state or facts. */
  version = 0;

  constructor(discovery: Discovery, settings: NodeSettings, log: Logger) {
    this.#discovery = discovery;
    this.settings = settings;
    this.log = log;
  }

  /** Follows discovery until `close`. Resolves then. */
  async run(): Promise<void> {
    for await (const event of this.#discovery.watch({ signal: this.#stop.signal })) {
      if (event.kind === 'trouble') {
        this.discoveryTrouble = event.message;
        this.log.error({ err: event.message }, 'Discovery failed');
      } else {
        this.discoveryTrouble = '';
        this.#reconcile(event.entries.map((entry) => entry.address));
      }
      this.version += 1;
    }
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the manager stops'));
    await Promise.all([...this.#nodes.values()].map((node) => node.close()));
  }

  /** In the order in which discovery first named them. */
  nodes(): EngineNode[] {
    return [...this.#nodes.values()];
  }

  healthy(): EngineNode[] {
    return this.nodes().filter((node) => node.healthy);
  }

  /** The node with this name, ID, or address. */
  node(nameOrId: string): EngineNode | undefined {
    const byId = this.#ids.get(nameOrId);
    if (byId) return byId;
    return this.nodes().find((node) => node.name === nameOrId || node.address.text === nameOrId);
  }

  /** A healthy node for what any node can do. Throws `unavailable` when there is none. */
  anyHealthy(): EngineNode {
    const healthy = this.healthy();
    const chosen = healthy[Math.floor(Math.random() * healthy.length)];
    if (!chosen) throw new SwarmError('unavailable', 'No healthy node available in the cluster');
    return chosen;
  }

  /** The highest API version that every healthy engine speaks. */
  get minor(): ApiMinor {
    this.#advertised ??= lowest(this.healthy()) ?? lowest(this.nodes()) ?? FALLBACK_MINOR;
    return this.#advertised;
  }

  /** Waits for what changed at the engines a moment ago, each for a bounded time. */
  async settle(nodes: Iterable<EngineNode> = this.#nodes.values()): Promise<void> {
    const waits: Promise<void>[] = [];
    for (const node of nodes) if (node.inventory.stale) waits.push(node.inventory.settle());
    if (waits.length > 0) await Promise.all(waits);
  }

  listen(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onNodeChange(listener: NodeListener): () => void {
    this.#nodeListeners.add(listener);
    return () => this.#nodeListeners.delete(listener);
  }

  claimId(node: EngineNode, id: string): EngineNode | undefined {
    const holder = this.#ids.get(id);
    if (holder && holder !== node) return holder;
    this.#ids.set(id, node);
    return undefined;
  }

  releaseId(node: EngineNode): void {
    for (const [id, holder] of this.#ids) if (holder === node) this.#ids.delete(id);
  }

  nodeChanged(node: EngineNode): void {
    this.version += 1;
    this.#advertised = undefined;
    for (const listener of this.#nodeListeners) this.#tell(() => listener(node));
  }

  engineEvent(node: EngineNode, event: EngineEvent): void {
    for (const listener of this.#listeners) this.#tell(() => listener(node, event));
  }

  /** A mistake of one who listens must end neither the node's loops nor the manager, nor be missed by the others. */
  #tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.log.error({ err: messageOf(error) }, 'A change of an engine was not taken in');
    }
  }

  #reconcile(addresses: readonly string[]): void {
    const wanted = new Map<string, EngineNode | undefined>();
    for (const text of addresses) {
      try {
        const address = parseEngineAddress(text);
        wanted.set(address.text, this.#nodes.get(address.text) ?? new EngineNode(address, this));
      } catch (error) {
        this.log.error({ err: messageOf(error) }, 'Discovery named what is no address');
      }
    }
    for (const [key, node] of this.#nodes) {
      if (wanted.has(key)) continue;
      this.#nodes.delete(key);
      this.log.info({ engine: key, name: node.name }, 'Removed engine');
      this.releaseId(node);
      void node.close();
    }
    for (const [key, node] of wanted) {
      if (!node || this.#nodes.has(key)) continue;
      this.#nodes.set(key, node);
      void node.run();
    }
  }
}

function lowest(nodes: readonly EngineNode[]): ApiMinor | undefined {
  const minors = nodes.flatMap((node) => (node.info ? [node.info.apiMinor] : []));
  return minors.length > 0 ? Math.min(...minors) : undefined;
}
