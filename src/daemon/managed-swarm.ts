import { messageOf, SwarmError } from '../base/errors.ts';
import { childLog } from '../base/log.ts';
import { hasIpvs, ownerOfPort } from '../balancer/index.ts';
import type { Leading, Manager } from '../manager/index.ts';
import type { LeadView, LoopContext, Store } from '../store/index.ts';
import { systemAddresses } from './interfaces.ts';
import { Membership } from './membership.ts';
import { PlainNodes } from './plain-nodes.ts';
import type { LocalConfig } from './state-folder.ts';
import type { HostState } from './states.ts';
import type { LifeOptions } from './life-options.ts';
import { hostPort } from './swarm-addresses.ts';
import { isSilent, tcpProbe } from './tcp-probe.ts';

/** The swarm that this host manages, with others or alone. */
export interface ManagedSwarm {
  readonly local: LocalConfig;
  readonly state: HostState;
  readonly store: Store;
  readonly manager: Manager;
  /** Nobody else ever leads: what the leader knows is always here. */
  readonly isAlone: boolean;
  readonly membership: Membership;
  /** What is known of nodes without a balancer; undefined while this host does not lead. */
  readonly plainNodes: PlainNodes | undefined;
}

export interface SwarmParts {
  readonly state: HostState;
  readonly local: LocalConfig;
  readonly options: LifeOptions;
  /** Runs when it is settled who leads, before the port opens: what the state of a new swarm begins with. */
  readonly seed?: (lead: LeadView) => Promise<void>;
  /** Called once, when this host's node is no manager any more, or is gone. */
  readonly onDismissed: (how: 'demoted' | 'removed') => void;
}

/** Begins to manage. Ends the state where that fails. */
export async function beginSwarm(parts: SwarmParts): Promise<RunningSwarm> {
  const { state, local, options, seed } = parts;
  const { times, log } = options;
  const context: LoopContext = { store: state.store, times, log: childLog(log, 'manager') };
  try {
    const lead = state.takePart({ id: local.nodeId, addr: hostPort(local.advertise) });
    await seed?.(lead);
    const swarm = new RunningSwarm(parts, context);
    await swarm.begin(lead);
    return swarm;
  } catch (error) {
    await state.close();
    throw error;
  }
}

export class RunningSwarm implements ManagedSwarm {
  readonly local: LocalConfig;
  readonly state: HostState;
  readonly store: Store;
  readonly #parts: SwarmParts;
  readonly #context: LoopContext;
  readonly #stop = new AbortController();
  readonly #unwatch: () => void;
  #manager: Manager | undefined;
  #membership: Membership | undefined;
  #plainNodes: PlainNodes | undefined;
  #following: Promise<unknown> = Promise.resolve();
  #isDismissed = false;

  constructor(parts: SwarmParts, context: LoopContext) {
    this.#parts = parts;
    this.#context = context;
    this.local = parts.local;
    this.state = parts.state;
    this.store = parts.state.store;
    const { nodeId } = parts.local;
    this.#unwatch = this.store.watch((events) => {
      if (events.some(({ kind, object }) => kind === 'node' && object.id === nodeId)) this.#look();
    });
  }

  get isAlone(): boolean {
    return this.state.isOwn;
  }

  get manager(): Manager {
    if (!this.#manager) throw new SwarmError('no-manager', 'the manager has not begun');
    return this.#manager;
  }

  get membership(): Membership {
    if (!this.#membership) throw new SwarmError('no-manager', 'the manager has not begun');
    return this.#membership;
  }

  get plainNodes(): PlainNodes | undefined {
    return this.#plainNodes;
  }

  async begin(lead: LeadView): Promise<void> {
    const { state, local, options } = this.#parts;
    const { engine, times, log } = options;
    const manager = await options.startManager(this.#context, {
      nodeId: local.nodeId,
      listen: local.listen,
      lead,
      takeOver: (term) => state.takeOver(term),
      keeping: state.keeping,
      isSilent,
      there: {
        all: () => [{ nodeId: local.nodeId, addr: hostPort(local.advertise) }, ...state.others],
        listen: (listener) => state.onOthers(listener),
      },
      onApi: options.onApi,
      whileLeading: (leading, signal) => this.#lead(leading, signal),
    });
    this.#manager = manager;
    this.#membership = new Membership({
      ...{ engine, local, clock: times, log },
      token: () => manager.engineToken(),
      managers: () => managerAddrs(this.store),
      isOwn: (ip) => systemAddresses().some((one) => one.ip === ip),
    });
  }

  /** From now on this host's engine is looked after. */
  follow(): void {
    this.#following = this.membership.run(this.#stop.signal);
    this.#look();
  }

  /** Ends what follows the engine; the manager goes on. */
  async unfollow(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  async end(): Promise<void> {
    this.#isDismissed = true;
    this.#unwatch();
    await this.unfollow();
    await this.#manager?.close();
    await this.state.close();
  }

  #look(): void {
    if (this.#isDismissed || !this.#manager) return;
    const node = this.store.view.get('node', this.local.nodeId);
    if (node?.role === 'manager') return;
    this.#isDismissed = true;
    this.#parts.onDismissed(node ? 'demoted' : 'removed');
  }

  async #lead({ endpoints }: Leading, signal: AbortSignal): Promise<void> {
    const { local, options } = this.#parts;
    const plainNodes = new PlainNodes({
      ...this.#context,
      own: { nodeId: local.nodeId, host: local.advertise.host },
      reportOf: (nodeId) => endpoints.reportOf(nodeId),
      hasIpvs,
      ownerOf: ownerOfPort,
      probe: tcpProbe,
    });
    this.#plainNodes = plainNodes;
    try {
      await this.#overruleHeartbeat().catch((error: unknown) => {
        if (!signal.aborted) options.log.warn({ err: messageOf(error) }, 'The heartbeat could not be set');
      });
      await plainNodes.run(signal);
    } finally {
      this.#plainNodes = undefined;
    }
  }

  async #overruleHeartbeat(): Promise<void> {
    const { heartbeatNs } = this.#parts.options;
    const { store } = this;
    if (heartbeatNs === undefined || store.view.cluster()?.spec.heartbeatPeriodNs === heartbeatNs) return;
    await store.update((tx) => {
      const cluster = tx.cluster();
      if (cluster)
        tx.update('cluster', { ...cluster, spec: { ...cluster.spec, heartbeatPeriodNs: heartbeatNs } });
    });
  }
}

function managerAddrs({ view }: Store): string[] {
  return [...view.all('node')].flatMap(({ managerAddr }) => managerAddr ?? []);
}
