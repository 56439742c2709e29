import type { ConnectRouter, HandlerContext } from '@connectrpc/connect';
import {
  Joining,
  Managers,
  type AttendRequest,
  type BecomeRequest,
  type Candidate as WireCandidate,
  type JoinRequest,
  type JoinResponse,
  type Wish,
  JoinResponseSchema,
  WishSchema,
} from '../../proto/generated/skep/managers_pb.js';
import { create } from '@bufbuild/protobuf';
import { Bell } from '../base/bell.ts';
import { SwarmError } from '../base/errors.ts';
import { isHostPort } from '../base/host-port.ts';
import { removeNode, sameSecret } from '../ca/index.ts';
import {
  managersAmong,
  newManagerNode,
  TWO_MANAGERS,
  type Availability,
  type Cluster,
  type Node,
} from '../model/index.ts';
import type { LoopContext, StoreEvent, Tx } from '../store/index.ts';
import { callerAddr, requireManager, requireNode } from '../swarmkit/index.ts';
import { dismiss } from './dismiss.ts';

/** What a host that could manage says of itself. */
export interface Candidate {
  /** `host:port` of its port for agents and managers. */
  readonly addr: string;
  /** Empty where no etcd is installed. */
  readonly etcdVersion: string;
  /** The swarm whose state is in the store that it was started with; empty where it has none. */
  readonly storeClusterId: string;
  readonly layout: number;
  readonly version: string;
  /** What keeps it from having a member of the managers' own etcd, in words; '' where nothing does. */
  readonly obstacle: string;
  readonly storeMember: StoreMember;
}

/** Whether a host may keep a member of the managers' own etcd without managing: where they need one, before all others, or never. */
export type StoreMember = 'auto' | 'wanted' | 'never';

/** The host of a worker whose swarmd is heard of. */
export interface WorkerHost {
  /** Its node's. */
  readonly id: string;
  /** It could be the witness, and may. */
  readonly canKeep: boolean;
  readonly storeMember: StoreMember;
}

/** How a host that was let in reaches the state, in an etcd that managers keep themselves. */
export interface StoreAccess {
  /** `host:port` of members with a vote. */
  readonly endpoints: readonly string[];
  readonly prefix: string;
  /** Of that etcd, PEM. */
  readonly ca: string;
  readonly caKey: string;
  /** What tells this etcd from all others. */
  readonly token: string;
  /** `name=url,…` of all members, the new one included; '' where the host goes on with the one that it has. */
  readonly initialCluster: string;
}

export interface ManagersOptions {
  /** A token with which a host's engine becomes that node, once. */
  readonly engineToken: (nodeId: string) => string;
  /**
   * What keeps a host from the state, in words for the user who adds it; undefined where nothing does.
   */
  readonly objection: (candidate: Candidate) => string | undefined;
  /**
   * Lets a host at the state, and says how it is reached: undefined where it knows by itself. Throws `conflict` or `unsupported`, in
   * words for the user who adds it, where it can't be.
   */
  readonly admit: (
    nodeId: string,
    candidate: Candidate,
    how: { /** It has its member still, as the witness that it was. */ readonly keepsMember: boolean },
  ) => Promise<StoreAccess | undefined>;
}

/** How managers come and go, at the one that leads. */
export interface ManagersService {
  readonly routes: (router: ConnectRouter) => void;
  /** Why a node can't be made a manager, in words for the user; undefined where it can. Waits for hosts that are still to come back. */
  whyNoManager(nodeId: string): Promise<string | undefined>;
  /** Hosts of workers whose swarmd is heard of, who came first first. */
  readonly hosts: readonly WorkerHost[];
  /** Has one of them be the witness, and no other; none where undefined. */
  wishWitness(nodeId: string | undefined): void;
  close(): void;
}

/** As SwarmKit's NodeCA refuses. */
const NO_TOKEN = 'A valid join token is necessary to join this cluster';
const NO_SWARMD =
  'no swarmd is heard of on its host; start swarmd there, beside its engine, and promote it again';
const STORE_MEMBERS: readonly StoreMember[] = ['auto', 'wanted', 'never'];
const AVAILABILITIES: readonly string[] = ['active', 'pause', 'drain'];
/** Hosts come back to a new leader within this: a connection that died in silence is found out after ten seconds. */
const SETTLE_MS = 15_000;
/** A host whose engine has just joined finds out within this that there is a manager to attend. */
const FIRST_MS = 8_000;
/** Most of them are back within this; a joiner waits so long. */
const BACK_MS = 4_000;
/** One that was heard of so shortly ago is coming back. */
const AWAY_MS = 30_000;
const LOOK_MS = 100;
const ID = /^[a-z0-9]{25}$/;

/** The service by which hosts become managers, and stop being some. */
export function createManagersService(context: LoopContext, options: ManagersOptions): ManagersService {
  return new LeadersManagers(context, options);
}

interface Attending {
  readonly candidate: Candidate;
  readonly changed: Bell;
}

class LeadersManagers implements ManagersService {
  readonly #context: LoopContext;
  readonly #options: ManagersOptions;
  readonly #attending = new Map<string, Attending>();
  /** Hosts that were heard of, and when that ended. */
  readonly #leftMs = new Map<string, number>();
  readonly #unwatch: () => void;
  #witness: string | undefined;
  #knowsWitness = false;
  /** Until then hosts are coming back from the former leader. */
  readonly #settledMs: number;

  constructor(context: LoopContext, options: ManagersOptions) {
    this.#context = context;
    this.#settledMs = context.times.nowMs() + SETTLE_MS;
    this.#options = options;
    this.#unwatch = context.store.watch((events) => this.#follow(events));
  }

  readonly routes = (router: ConnectRouter): void => {
    router.service(Joining, { join: (request, call) => this.#join(request, call) });
    router.service(Managers, {
      attend: (request, call) => this.#attend(request, call),
      become: (request, call) => this.#become(request, call),
      engineToken: (_request, call) => {
        const { id } = requireManager(call, this.#context.store.view);
        return { token: this.#options.engineToken(id) };
      },
      leave: async ({ remove }, call) => {
        const { id } = requireManager(call, this.#context.store.view);
        await this.#dismiss(id, remove);
        return {};
      },
    });
  };

  async whyNoManager(nodeId: string): Promise<string | undefined> {
    const { times, store } = this.#context;
    const bornMs = store.view.get('node', nodeId)?.meta.createdAtMs ?? 0;
    const ageMs = Math.max(0, times.wallMs() - bornMs);
    const isAway = times.nowMs() - (this.#leftMs.get(nodeId) ?? -Infinity) < AWAY_MS;
    const backMs = times.nowMs() + (isAway ? BACK_MS : 0);
    const untilMs = Math.max(this.#settledMs, backMs, times.nowMs() + FIRST_MS - ageMs);
    while (!this.#attending.has(nodeId) && times.nowMs() < untilMs)
      await times.pause(LOOK_MS, new AbortController().signal);
    const attending = this.#attending.get(nodeId);
    if (!attending) return NO_SWARMD;
    return outdated(attending.candidate, store.layout) ?? this.#options.objection(attending.candidate);
  }

  get hosts(): readonly WorkerHost[] {
    const { view } = this.#context.store;
    return [...this.#attending].flatMap(([id, { candidate }]) => {
      const node = view.get('node', id);
      if (node?.role !== 'worker') return [];
      const { storeMember } = candidate;
      const isWilling = node.spec.role === 'worker' && storeMember !== 'never';
      return { id, storeMember, canKeep: isWilling && this.#options.objection(candidate) === undefined };
    });
  }

  wishWitness(nodeId: string | undefined): void {
    if (this.#knowsWitness && this.#witness === nodeId) return;
    this.#knowsWitness = true;
    this.#witness = nodeId;
    for (const { changed } of this.#attending.values()) changed.ring();
  }

  close(): void {
    this.#unwatch();
  }

  #follow(events: readonly StoreEvent[]): void {
    for (const event of events)
      if (event.kind === 'node') this.#attending.get(event.object.id)?.changed.ring();
  }

  async #join(request: JoinRequest, call: HandlerContext): Promise<JoinResponse> {
    const { store, log } = this.#context;
    const cluster = this.#cluster();
    const { manager, worker } = cluster.rootCa.joinTokens;
    // A worker's token makes its engine a worker, which is the engine's own to ask for.
    if (sameSecret(request.token, worker)) return create(JoinResponseSchema);
    if (!sameSecret(request.token, manager)) throw new SwarmError('invalid', NO_TOKEN);
    const { nodeId } = request;
    const availability = AVAILABILITIES.find((one) => one === request.availability) ?? 'active';
    if (!ID.test(nodeId)) throw new SwarmError('invalid', 'a node id has 25 letters and digits');
    const candidate = candidateOf(request.candidate);
    const isThere = this.#requireUnused(nodeId, candidate.addr);
    if (request.withdraw) {
      if (isThere) await store.update((tx) => removeNode(tx, nodeId, this.#context.times.wallMs()));
      return create(JoinResponseSchema);
    }
    const access = await this.#admit(nodeId, candidate, { keepsMember: false });
    await store.update((tx) => {
      if (this.#requireUnused(nodeId, candidate.addr, tx)) return;
      // Of a joiner that was killed before it knew that it was let in; it is this one now.
      for (const { id, role, managerAddr, description } of [...tx.all('node')])
        if (role === 'manager' && managerAddr === candidate.addr && !description)
          removeNode(tx, id, this.#context.times.wallMs());
      const row = { id: nodeId, addr: candidate.addr, availability: availability as Availability };
      tx.create('node', newManagerNode(row));
    });
    log.info({ node: nodeId, addr: candidate.addr, peer: callerAddr(call) }, 'a manager joined');
    return this.#welcome(nodeId, access, this.#options.engineToken(nodeId));
  }

  /** True where the row is there, because the same joiner asked before; throws `conflict` for anybody else's. */
  #requireUnused(nodeId: string, addr: string, view: Pick<Tx, 'get'> = this.#context.store.view): boolean {
    const there = view.get('node', nodeId);
    if (!there) return false;
    if (there.role === 'manager' && there.managerAddr === addr && !there.description) return true;
    throw new SwarmError('conflict', `node ${nodeId} is part of this swarm already`);
  }

  async *#attend(request: AttendRequest, call: HandlerContext): AsyncGenerator<Wish> {
    const { view } = this.#context.store;
    const { id } = requireNode(call, view);
    const attending = { candidate: candidateOf(request.candidate), changed: new Bell() };
    this.#attending.set(id, attending);
    this.#leftMs.delete(id);
    try {
      for (let told = ''; ;) {
        const node = view.get('node', id);
        if (!node || this.#attending.get(id) !== attending) return;
        const wish = { manager: node.spec.role === 'manager', witness: this.#witness === id };
        // A leader that has just begun does not know yet who the witness is.
        if (wish.manager || this.#knowsWitness) {
          if (JSON.stringify(wish) !== told) yield create(WishSchema, wish);
          told = JSON.stringify(wish);
        }
        if (!(await attending.changed.heard(call.signal))) return;
      }
    } finally {
      if (this.#attending.get(id) === attending) {
        this.#attending.delete(id);
        const nowMs = this.#context.times.nowMs();
        for (const [one, leftMs] of this.#leftMs) if (nowMs - leftMs > AWAY_MS) this.#leftMs.delete(one);
        this.#leftMs.set(id, nowMs);
      }
    }
  }

  async #become(request: BecomeRequest, call: HandlerContext): Promise<JoinResponse> {
    const { store, log } = this.#context;
    const { id } = requireNode(call, store.view);
    const candidate = candidateOf(request.candidate);
    if (request.witness) {
      if (this.#witness !== id) throw new SwarmError('conflict', `node ${id} is not to be a witness`);
      const access = await this.#options.admit(id, candidate, { keepsMember: false });
      return { ...this.#response(id, access, ''), unlockKey: '' };
    }
    const isWanted = (node: Node | undefined): boolean => node?.spec.role === 'manager';
    const refusal = (): SwarmError => new SwarmError('conflict', `node ${id} is not to be a manager`);
    if (!isWanted(store.view.get('node', id))) throw refusal();
    const access = await this.#admit(id, candidate, request);
    await store.update((tx) => {
      const node = tx.get('node', id);
      if (!node || !isWanted(node)) throw refusal();
      tx.update('node', { ...node, role: 'manager', managerAddr: candidate.addr });
    });
    log.info({ node: id, addr: candidate.addr }, 'a node became a manager');
    return this.#welcome(id, access, '');
  }

  async #admit(
    ...[nodeId, candidate, how]: Parameters<ManagersOptions['admit']>
  ): Promise<StoreAccess | undefined> {
    const why = outdated(candidate, this.#context.store.layout);
    if (why !== undefined) throw new SwarmError('conflict', why);
    return this.#options.admit(nodeId, candidate, how);
  }

  async #dismiss(nodeId: string, remove: boolean): Promise<void> {
    const { store, times } = this.#context;
    await store.update((tx) => {
      if (remove) removeNode(tx, nodeId, times.wallMs());
      else dismiss(tx, nodeId);
    });
  }

  #response(nodeId: string, store: StoreAccess | undefined, engineToken: string): JoinResponse {
    const clusterId = this.#cluster().id;
    const unlockKey = this.#context.store.lock.keyInForce;
    const answer = { nodeId, clusterId, engineToken, unlockKey };
    return create(
      JoinResponseSchema,
      store ? { ...answer, store: { ...store, endpoints: [...store.endpoints] } } : answer,
    );
  }

  /** The answer to a new manager, with what its user is to know where the managers' own etcd keeps the state. */
  async #welcome(nodeId: string, store: StoreAccess | undefined, engineToken: string): Promise<JoinResponse> {
    const answer = this.#response(nodeId, store, engineToken);
    if (!store || !(await this.#lacksWitness())) return answer;
    this.#context.log.warn({ node: nodeId }, TWO_MANAGERS);
    return { ...answer, warnings: [TWO_MANAGERS] };
  }

  /** Whether there are two managers, and no host that can be their witness; those that may still come back are waited for. */
  async #lacksWitness(): Promise<boolean> {
    const { times, store } = this.#context;
    const isLacking = (): boolean =>
      managersAmong(store.view.all('node')) === 2 && !this.hosts.some(({ canKeep }) => canKeep);
    const hasWorkers = [...store.view.all('node')].some(({ role }) => role === 'worker');
    const untilMs = hasWorkers ? Math.min(this.#settledMs, times.nowMs() + BACK_MS) : 0;
    while (isLacking() && times.nowMs() < untilMs) await times.pause(LOOK_MS, new AbortController().signal);
    return isLacking();
  }

  #cluster(): Cluster {
    const cluster = this.#context.store.view.cluster();
    if (!cluster) throw new SwarmError('no-manager', 'this node is not a swarm manager');
    return cluster;
  }
}

/** Why a host can't read the state as it is written, in words for the user. */
function outdated({ layout, version }: Candidate, ofState: number): string | undefined {
  return layout >= ofState
    ? undefined
    : `swarmd on that host (${version || 'of an unknown version'}) is too old for the state of this swarm (layout ${layout}; it has ${ofState}): upgrade it first`;
}

function candidateOf(said: WireCandidate | undefined): Candidate {
  const {
    addr = '',
    etcdVersion = '',
    storeClusterId = '',
    layout = 0,
    version = '',
    obstacle = '',
    storeMember = '',
  } = said ?? {};
  if (!isHostPort(addr)) throw new SwarmError('invalid', `'${addr.slice(0, 64)}' is no address of a manager`);
  return {
    addr,
    etcdVersion: etcdVersion.slice(0, 32),
    storeClusterId,
    layout,
    version: version.slice(0, 64),
    obstacle: obstacle.slice(0, 256),
    storeMember: STORE_MEMBERS.find((one) => one === storeMember) ?? 'auto',
  };
}
