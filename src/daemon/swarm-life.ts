import { backoffMs, orAborted } from '../base/async.ts';
import type { Times } from '../base/clock.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { explainListenError } from '../base/listen-error.ts';
import type { Logger } from '../base/log.ts';
import { createCluster } from '../ca/index.ts';
import { swarmEvent, type InitRequest, type SwarmJoinRequest } from '../control/index.ts';
import type { Manager, ManagerOptions } from '../manager/index.ts';
import { managersAmong } from '../model/index.ts';
import {
  LockedError,
  parseUnlockKey,
  type Keyring,
  type LeadView,
  type LoopContext,
} from '../store/index.ts';
import type { ApiHandler } from '../swarmkit/index.ts';
import { joinEngine, joinEngineSurely, leaveOwnSwarm } from './engine-swarm.ts';
import { IN_A_SWARM, requireFreeHost } from './free-host.ts';
import { HostAddresses } from './host-addresses.ts';
import { LAST_MANAGER, leavingOneOf, LOCKED, ONE_OF_SEVERAL } from './leaving-words.ts';
import { livingManager } from './living-manager.ts';
import type { LocalEngine } from './local-engine.ts';
import type { WorkerNode } from './attendance.ts';
import { beginSwarm, type ManagedSwarm, type RunningSwarm } from './managed-swarm.ts';
import type { ManagerPeers, Means } from './manager-peers.ts';
import { FIRST_LEAD_MS, seed } from './new-swarm.ts';
import type { RecentEvents } from './recent-events.ts';
import type { LocalConfig, StateFolder } from './state-folder.ts';
import { livesOn, localOf } from './restored-state.ts';
import type { HostState, States } from './states.ts';
import { hostPort } from './swarm-addresses.ts';
import { forgetWitness, keepWitness } from './witness-life.ts';

export interface LifeOptions {
  readonly folder: StateFolder;
  readonly states: States;
  /** What the states are opened with. */
  readonly keyring: Keyring;
  /** Rejects with the error of `listen` where the port is taken. */
  readonly startManager: (context: LoopContext, options: ManagerOptions) => Promise<Manager>;
  /** Managers of other hosts. */
  readonly peers: ManagerPeers;
  /** Answers what other managers pass on. */
  readonly onApi: ApiHandler;
  /** Instead of what the swarm's spec says. */
  readonly heartbeatNs?: number | undefined;
  readonly engine: LocalEngine;
  /** Waits until the engine, which has joined, can be found by others. Never rejects. */
  readonly untilGossip?: (local: LocalConfig) => Promise<void>;
  /** Where a manager of the swarm of a state that was restored answers; looked for on the network if nothing is said. */
  readonly livingManager?: typeof livingManager;
  /** Told of what happens in the swarm. */
  readonly events: RecentEvents;
  readonly times: Times;
  readonly log: Logger;
}

const REMOVED =
  'this host was removed from its swarm: docker swarm leave --force makes it free to join again';
const MOVED = 'This host has another address now; the manager goes on there';
const ADDRESS_LOOK_MS = 5_000;
/** A state that can't be read is tried again and again. */
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [500, 10_000];
/** Who leaves waits no longer for the others. */
const RESIGN_MS = 10_000;

/** Whether this host manages a swarm, and how that begins and ends. One change at a time. */
export class SwarmLife {
  readonly #options: LifeOptions;
  readonly #addresses: HostAddresses;
  readonly #closing = new AbortController();
  #running: RunningSwarm | undefined;
  #trouble: string | undefined;
  #isLocked = false;
  #sharing: Promise<void> | undefined;
  #pause: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: LifeOptions) {
    this.#options = options;
    this.#addresses = new HostAddresses(options);
  }

  /** The swarm, where there is one. */
  get swarm(): ManagedSwarm | undefined {
    return this.#running;
  }

  /** Why a host that is to manage a swarm does not, in words; undefined where it does, and where it is to manage none. */
  get trouble(): string | undefined {
    return this.#running ? undefined : this.#trouble;
  }

  /** Whether this host's state waits for its unlock key; nothing of its swarm runs here meanwhile. */
  get isLocked(): boolean {
    return !this.#running && this.#isLocked;
  }

  /** The address that others know this host by; '' where it manages nothing. */
  get nodeAddr(): string {
    return this.#options.folder.readLocal()?.advertise.host ?? '';
  }

  /**
   * Goes on with the swarm that this host manages, if it manages one. A state that can't be read now is tried again later; rejects
   * where it never will be.
   */
  async resume(): Promise<void> {
    try {
      await this.#inTurn(() => this.#resume());
    } catch (error) {
      if (error instanceof LockedError) return this.#say(error.message);
      if (this.#options.folder.readLocal() === undefined || !isPassing(error)) throw error;
      this.#say(messageOf(error));
      void this.#resumeLater();
    }
  }

  /**
   * Opens a state that is locked, and goes on with its swarm. Throws in Docker's words `conflict` where nothing is locked, `unauthorized`
   * for a key that does not open it, and what keeps the swarm from going on; it stays locked then.
   */
  unlock(unlockKey: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      const { keyring } = this.#options;
      if (!this.isLocked) throw new SwarmError('conflict', 'swarm is not locked');
      keyring.offer(unlockKey);
      try {
        await this.#resume();
        if (this.trouble !== undefined) throw new SwarmError('unavailable', this.trouble);
      } catch (error) {
        // What was tried must not open it for the next who tries.
        keyring.forget();
        if (error instanceof LockedError)
          throw new SwarmError('unauthorized', 'swarm could not be unlocked: invalid key provided');
        const reason = messageOf(explainListenError(error));
        throw new SwarmError('internal', `swarm component could not be started: ${reason}`, { cause: error });
      }
    });
  }

  /**
   * Makes a swarm of this host; gives its node's id. Everything is undone when a step fails. Throws `no-manager` and
   * `invalid` in Docker's words, and what the engine says where it can't join.
   */
  init(request: InitRequest): Promise<string> {
    return this.#inTurn(async () => {
      if (request.forceNewCluster && (this.#running || this.#trouble !== undefined))
        return this.#goAlone(request);
      if (this.#running) throw new SwarmError('no-manager', IN_A_SWARM);
      await requireFreeHost(this.#options);
      const { folder, engine, states, log } = this.#options;
      const local = await this.#addresses.of(newId(), request);
      folder.make();
      folder.wipe();
      // Of a swarm that its engine has left.
      if (states.witnessId !== undefined) await states.erase('');
      const cluster = await this.#newCluster(request);
      let isMade = false;
      try {
        // Before there is a swarm: with its row alone a start would not know where to listen.
        folder.writeLocal(local);
        const state = await states.create(cluster.id);
        isMade = true;
        const running = await this.#begin(state, local, (lead) =>
          seed(state, lead, { cluster, local, request }),
        );
        await running.manager.untilLeading(AbortSignal.timeout(FIRST_LEAD_MS));
        await joinEngine(engine, local, await running.manager.engineToken());
        await this.#options.untilGossip?.(local);
        running.follow();
      } catch (error) {
        await this.#end();
        folder.wipe();
        if (isMade) await states.erase(cluster.id).catch(() => undefined);
        throw explainListenError(error);
      }
      log.info({ node: local.nodeId, addr: hostPort(local.advertise) }, 'Made a swarm');
      return local.nodeId;
    });
  }

  /**
   * Makes this host a manager of a swarm that is there, if the token is a manager's; `worker` where that is for the engine alone to
   * ask. Throws what stands in the way, in words for the user.
   */
  join(request: SwarmJoinRequest): Promise<'manager' | 'worker'> {
    return this.#inTurn(async () => {
      if (this.#running || this.#trouble !== undefined) throw new SwarmError('no-manager', IN_A_SWARM);
      const { folder, engine, states, peers, log } = this.#options;
      const found = await peers.find(request);
      if (!found) return 'worker';
      await requireFreeHost(this.#options);
      const wish = { ...request, advertiseAddr: request.advertiseAddr || found.localAddress };
      const local = await this.#addresses.of(newId(), wish);
      const answer = await found.join({
        local,
        means: await this.means(),
        availability: request.availability,
      });
      if (answer.kind === 'worker') return 'worker';
      folder.make();
      folder.wipe();
      try {
        folder.writeLocal(local);
        this.#offer(answer.unlockKey);
        const running = await this.#begin(await states.enter(local, answer.access), local);
        await joinEngineSurely(engine, local, answer.engineToken, () => running.manager.engineToken());
        await this.#options.untilGossip?.(local);
        running.follow();
      } catch (error) {
        if (this.#running) await this.#resign({ remove: true });
        else await found.withdraw(local).catch(() => undefined);
        await this.#end();
        await states.forget();
        folder.wipe();
        throw explainListenError(error);
      }
      log.info({ node: local.nodeId, addr: hostPort(local.advertise) }, 'Joined a swarm as a manager');
      for (const warning of answer.warnings) log.warn({ node: local.nodeId }, warning);
      return 'manager';
    });
  }

  /**
   * Has this host, which is a node already, manage: its row says that it is to. What fails after the managers have agreed is tried
   * again, as at a start.
   */
  async become(node: WorkerNode): Promise<void> {
    const { folder, states, peers, log } = this.#options;
    await this.#inTurn(async () => {
      if (this.#running || this.#trouble !== undefined) return;
      const local = await this.#addresses.ofWorker(node);
      const keepsMember = states.witnessId === local.nodeId && !states.isReleased;
      const asked = await peers.become(node, local, await this.means(), { keepsMember });
      const { unlockKey, access, warnings } = asked;
      this.#offer(unlockKey);
      folder.make();
      folder.wipe();
      folder.writeLocal(local);
      (await this.#begin(await states.enter(local, access), local)).follow();
      log.info({ node: local.nodeId, addr: hostPort(local.advertise) }, 'Manager of a swarm');
      for (const warning of warnings) log.warn({ node: local.nodeId }, warning);
    }).catch(async (error: unknown) => {
      if (folder.readLocal() === undefined) throw error;
      log.warn({ err: messageOf(error) }, 'This host could not begin to manage; it is tried again');
      await this.resume();
    });
  }

  /** Until the signal fires: where this host gets another address while it manages, the manager goes on with that. Never rejects. */
  async followAddress(signal: AbortSignal): Promise<void> {
    const { times, log } = this.#options;
    for (let seen = ''; !signal.aborted;) {
      const { local } = this.#running ?? {};
      const now = local && (await this.#addresses.now(local));
      const next = now && now.advertise.host !== local.advertise.host ? hostPort(now.advertise) : '';
      // Not what a device shows for a moment.
      if (now && next !== '' && next === seen)
        await this.#inTurn(() => this.#goElsewhere(now)).catch((error: unknown) => {
          log.error({ addr: next, err: messageOf(error) }, 'The manager did not get to its new address');
        });
      seen = next;
      await times.pause(ADDRESS_LOOK_MS, signal);
    }
  }

  /** Has this host, which is a node, keep the state for the managers without being one, or no more. */
  witness(node: WorkerNode, wanted: boolean): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#running || this.#trouble !== undefined) return;
      const means = (): Promise<Means> => this.means();
      await keepWitness({ ...this.#options, addresses: this.#addresses, means }, node, wanted);
    });
  }

  /** Whether this host keeps the state for managers elsewhere, and runs none. */
  get isWitness(): boolean {
    return !this.#running && this.#options.states.witnessId !== undefined;
  }

  /** This host is a witness no more: the others have removed it, or its engine has left their swarm (`always`). Never rejects. */
  async endWitness({ always }: { readonly always: boolean }): Promise<void> {
    await this.#inTurn(async () => {
      const { states } = this.#options;
      if (this.isWitness && (always || states.isReleased)) await forgetWitness(this.#options);
    }).catch((error: unknown) => {
      this.#options.log.error({ err: messageOf(error) }, 'What a witness has could not be removed');
    });
  }

  /** Ends the swarm of this host and forgets it; its engine leaves too. Throws `no-manager` in Docker's words. */
  leave(force: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const running = this.#running;
      const { folder, states, log } = this.#options;
      if (!running) {
        if (this.#trouble === undefined)
          throw new SwarmError('no-manager', 'This node is not part of a swarm');
        if (!force) throw new SwarmError('no-manager', this.isLocked ? LOCKED : ONE_OF_SEVERAL);
        const { nodeId } = folder.readLocal() ?? {};
        await this.#leaveEngine((id) => id === nodeId);
        await states.forget();
        folder.wipe();
        this.#say(undefined);
        return;
      }
      const { store, local } = running;
      const isLast = managersAmong(store.view.all('node')) <= 1;
      if (!force) throw new SwarmError('no-manager', isLast ? LAST_MANAGER : leavingOneOf(running));
      await running.unfollow();
      if (!isLast) await this.#resign({ remove: false });
      await this.#leaveEngine((nodeId) => store.view.get('node', nodeId) !== undefined);
      const clusterId = store.view.cluster()?.id ?? '';
      await this.#end();
      await (isLast ? states.erase(clusterId) : states.forget()).catch((error: unknown) => {
        log.warn({ err: messageOf(error) }, 'The state of the swarm could not be removed from the store');
      });
      folder.wipe();
      log.info({ node: local.nodeId }, isLast ? 'Left the swarm; its state is erased' : 'Left the swarm');
    });
  }

  /** Ends for now: the state stays. */
  close(): Promise<void> {
    this.#closing.abort();
    return this.#inTurn(async () => {
      await this.#end();
      await this.#options.states.close();
    });
  }

  /**
   * Brings the state of a swarm that has one manager to where others can share it. Resolves when it is on its way: copied, and about
   * to be changed over, for which clients wait. Rejects where it can't be brought there; it stays where it is then.
   */
  share(): Promise<void> {
    if (this.#sharing) return this.#sharing;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => undefined); // whoever asked may be gone
    this.#sharing = promise;
    void this.#inTurn(() => this.#share(resolve))
      .catch((error: unknown) => {
        this.#options.log.error({ err: messageOf(error) }, 'The state could not be brought to an etcd');
        reject(error);
      })
      .finally(() => {
        resolve();
        this.#sharing = undefined;
      });
    return promise;
  }

  /** How this host could keep the state of several managers. */
  async means(): Promise<Means> {
    const { states } = this.#options;
    return {
      ...(await states.etcd()),
      layout: states.layout,
      storeClusterId: await states.sharedClusterId().catch(() => ''),
    };
  }

  /** Resolves when this host's manager is not being restarted. */
  get settled(): Promise<void> {
    return this.#pause ?? Promise.resolve();
  }

  /**
   * Goes on with the swarm as its only manager, at another address if one is named: the others are lost, and workers if they return.
   * Gives this host's node.
   */
  async #goAlone(request: InitRequest): Promise<string> {
    const running = this.#running;
    const { folder, states, log } = this.#options;
    const former = running?.local ?? folder.readLocal();
    if (!former || this.isLocked) throw new SwarmError('no-manager', former ? LOCKED : IN_A_SWARM);
    const local = await this.#addresses.readdressed(former, request.advertiseAddr);
    if (local !== former) folder.writeLocal(local);
    if (running && !running.state.needsMajority) {
      if (hostPort(local.advertise) !== hostPort(former.advertise)) await this.#goElsewhere(local);
      return local.nodeId;
    }
    log.warn({ node: local.nodeId }, 'This host goes on without the other managers');
    await this.#restart(async () => {
      await states.alone();
      const next = await this.#begin(await states.open(), local);
      this.#say(undefined);
      next.follow();
      await next.manager.untilLeading(AbortSignal.timeout(FIRST_LEAD_MS));
      await next.manager.dismissOthers();
    });
    return local.nodeId;
  }

  /** Ends the manager, and has it begin again while clients wait; where that fails it is tried again later. */
  async #restart(begin: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pause = promise;
    try {
      const unlockKey = this.#running?.store.lock.keyInForce ?? '';
      await this.#end();
      this.#offer(unlockKey);
      await begin();
    } catch (error) {
      if (!this.#running) {
        this.#say(messageOf(error));
        void this.#resumeLater();
      }
      throw error;
    } finally {
      this.#pause = undefined;
      resolve();
    }
  }

  /** Has the manager that runs go on at this host's new address. */
  async #goElsewhere(local: LocalConfig): Promise<void> {
    const { folder, states, log } = this.#options;
    const { advertise } = this.#running?.local ?? {};
    if (!advertise) return;
    log.warn({ from: hostPort(advertise), addr: hostPort(local.advertise) }, MOVED);
    await this.#restart(async () => {
      folder.writeLocal(local);
      (await this.#begin(await states.open(), local)).follow();
    });
  }

  async #share(onItsWay: () => void): Promise<void> {
    const running = this.#running;
    const { states, log } = this.#options;
    if (!running?.isAlone) return;
    const { local } = running;
    const clusterId = running.store.view.cluster()?.id ?? '';
    log.info('The state of the swarm is brought to an etcd, for another manager');
    const move = await states.move(local, clusterId);
    onItsWay();
    await this.#restart(async () => {
      await move.finish().catch((error: unknown) => {
        log.error({ err: messageOf(error) }, 'The state did not get to the etcd as it should');
      });
      const next = await this.#begin(await states.open(), local);
      next.follow();
      await next.manager.untilLeading(AbortSignal.timeout(FIRST_LEAD_MS)).catch(() => undefined);
      log.info('The state of the swarm is in an etcd that other managers can share');
    });
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** What the managers of a locked swarm tell one that joins them. */
  #offer(unlockKey: string): void {
    if (unlockKey !== '') this.#options.keyring.offer(parseUnlockKey(unlockKey));
  }

  #say(trouble: string | undefined): void {
    this.#isLocked = trouble === new LockedError().message;
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (trouble !== undefined)
      this.#options.log.warn({ reason: trouble }, 'This host does not manage its swarm');
  }

  async #resume(): Promise<void> {
    const { folder, states, engine, log } = this.#options;
    const before = folder.readLocal();
    if (this.#running) return;
    if (states.witnessId !== undefined) return states.witness(undefined);
    if (!(states.hasOwn || (before && states.kind === 'etcd'))) return;
    const kept = before && (await this.#addresses.now(before));
    if (kept && kept !== before) {
      if (kept.advertise.host !== before.advertise.host)
        log.warn({ from: hostPort(before.advertise), addr: hostPort(kept.advertise) }, MOVED);
      // First of all: what the host has of the state goes to that address too.
      folder.writeLocal(kept);
    }
    const state = await states.open();
    const { store } = state;
    if (!store.view.cluster()) return state.close();
    const own = kept && store.view.get('node', kept.nodeId);
    if (!state.isOwn && own?.role !== 'manager') {
      await state.close();
      if (!own) return this.#say(REMOVED);
      await states.stepDown();
      folder.wipe();
      return this.#say(undefined);
    }
    const living = this.#options.livingManager ?? livingManager;
    const elsewhere = folder.isRestored ? await living(store, engine) : undefined;
    if (elsewhere !== undefined) {
      await state.close();
      return this.#say(livesOn(elsewhere));
    }
    const { ownAddresses } = this.#addresses;
    const local = { ...(kept && own ? kept : localOf(store, ownAddresses)), store: states.kind };
    try {
      folder.writeLocal(local);
    } catch (error) {
      // The disk is full; it is tried again, and nobody else can have the state meanwhile.
      await state.close();
      throw error;
    }
    const running = await this.#begin(state, local);
    if (folder.isRestored) await this.#goOnAlone(running);
    running.follow();
    folder.markRestored(false);
    this.#say(undefined);
    log.info({ node: local.nodeId, addr: hostPort(local.advertise) }, 'Manager of a swarm');
  }

  /** What was restored has one manager, whatever it had when it was saved. */
  async #goOnAlone({ manager }: RunningSwarm): Promise<void> {
    try {
      await manager.untilLeading(AbortSignal.timeout(FIRST_LEAD_MS));
      await manager.dismissOthers();
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  async #resumeLater(): Promise<void> {
    const { signal } = this.#closing;
    for (let tries = 0; this.#trouble !== undefined && !signal.aborted; tries += 1) {
      await this.#options.times.pause(backoffMs(tries, FIRST_RETRY_MS, LAST_RETRY_MS, Math.random), signal);
      try {
        await this.#inTurn(async () => {
          if (this.#trouble !== undefined && !signal.aborted) await this.#resume();
        });
        return;
      } catch (error) {
        this.#say(messageOf(error));
        if (error instanceof LockedError) return;
      }
    }
  }

  /** This host's node is a manager no more, by another's word. */
  #dismissed(how: 'demoted' | 'removed'): void {
    void this.#inTurn(async () => {
      const running = this.#running;
      if (!running) return;
      const { folder, states, log } = this.#options;
      await this.#end();
      await (how === 'demoted' ? states.stepDown() : states.forget());
      if (how === 'demoted') folder.wipe();
      else this.#say(REMOVED);
      log.info({ node: running.local.nodeId }, how === 'demoted' ? 'This host is a worker now' : REMOVED);
    }).catch((error: unknown) => {
      this.#options.log.error({ err: messageOf(error) }, 'The manager of this host did not end as it should');
    });
  }

  #newCluster({ pools, spec, dataPathPort }: InitRequest): ReturnType<typeof createCluster> {
    const all = pools ? { defaultAddressPool: pools.pools, subnetSize: pools.size } : {};
    return createCluster({ spec, dataPathPort, ...all }, this.#options.times.wallMs());
  }

  async #begin(
    state: HostState,
    local: LocalConfig,
    first?: (lead: LeadView) => Promise<void>,
  ): Promise<RunningSwarm> {
    const { events, times } = this.#options;
    state.store.watch((changes) => {
      for (const change of changes) {
        const event = swarmEvent(change, times.wallMs());
        if (event) events.add(event);
      }
    });
    const running = await beginSwarm({
      state,
      local,
      options: this.#options,
      ...(first ? { seed: first } : {}),
      onDismissed: (how) => this.#dismissed(how),
    });
    this.#running = running;
    return running;
  }

  /** As well as it goes: who can't be told is told by this host's silence. */
  async #resign(how: { readonly remove: boolean }): Promise<void> {
    const manager = this.#running?.manager;
    if (!manager) return;
    await orAborted(manager.resign(how), AbortSignal.timeout(RESIGN_MS)).catch((error: unknown) => {
      this.#options.log.warn({ err: messageOf(error) }, 'The other managers could not be told');
    });
  }

  async #leaveEngine(isOurs: (nodeId: string) => boolean): Promise<void> {
    await leaveOwnSwarm(this.#options.engine, isOurs).catch((error: unknown) => {
      this.#options.log.warn({ err: messageOf(error) }, 'The engine of this host could not leave the swarm');
    });
  }

  async #end(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    await running.end();
    this.#options.keyring.forget();
  }
}

/** Whether another try may go better. */
function isPassing(error: unknown): boolean {
  return error instanceof SwarmError && (error.code === 'unavailable' || error.code === 'timeout');
}
