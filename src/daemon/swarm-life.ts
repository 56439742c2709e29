import { messageOf, SwarmError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { explainListenError } from '../base/listen-error.ts';
import { createCluster } from '../ca/index.ts';
import type { InitRequest, SwarmJoinRequest } from '../control/index.ts';
import { managersAmong } from '../model/index.ts';
import { LockedError } from '../store/index.ts';
import type { WorkerNode } from './attendance.ts';
import { joinEngine, joinEngineSurely } from './engine-swarm.ts';
import { IN_A_SWARM, requireFreeHost } from './free-host.ts';
import { HostAddresses } from './host-addresses.ts';
import { LAST_MANAGER, leavingOneOf, LOCKED, ONE_OF_SEVERAL } from './leaving-words.ts';
import type { LifeOptions } from './life-options.ts';
import type { ManagedSwarm } from './managed-swarm.ts';
import { ManagerMoves } from './manager-moves.ts';
import type { Means } from './manager-peers.ts';
import { FIRST_LEAD_MS, seed } from './new-swarm.ts';
import { OwnManager } from './own-manager.ts';
import { hostPort } from './swarm-addresses.ts';
import { forgetWitness, keepWitness } from './witness-life.ts';

/** Whether this host manages a swarm, and how that begins and ends. One change at a time. */
export class SwarmLife {
  readonly #options: LifeOptions;
  readonly #addresses: HostAddresses;
  readonly #own: OwnManager;
  readonly #moves: ManagerMoves;

  constructor(options: LifeOptions) {
    this.#options = options;
    this.#addresses = new HostAddresses(options);
    this.#own = new OwnManager(options, this.#addresses);
    this.#moves = new ManagerMoves(this.#own, this.#addresses, options);
  }

  /** The swarm, where there is one. */
  get swarm(): ManagedSwarm | undefined {
    return this.#own.running;
  }

  /** Why a host that is to manage a swarm does not, in words; undefined where it does, and where it is to manage none. */
  get trouble(): string | undefined {
    return this.#own.trouble;
  }

  /** Whether this host's state waits for its unlock key; nothing of its swarm runs here meanwhile. */
  get isLocked(): boolean {
    return this.#own.isLocked;
  }

  /** The address that others know this host by; '' where it manages nothing. */
  get nodeAddr(): string {
    return this.#options.folder.readLocal()?.advertise.host ?? '';
  }

  /**
   * Goes on with the swarm that this host manages, if it manages one. A state that can't be read now is tried again later; rejects
   * where it never will be.
   */
  resume(): Promise<void> {
    return this.#own.resume();
  }

  /**
   * Opens a state that is locked, and goes on with its swarm. Throws in Docker's words `conflict` where nothing is locked, `unauthorized`
   * for a key that does not open it, and what keeps the swarm from going on; it stays locked then.
   */
  unlock(unlockKey: Uint8Array): Promise<void> {
    return this.#own.inTurn(async () => {
      const { keyring } = this.#options;
      if (!this.isLocked) throw new SwarmError('conflict', 'swarm is not locked');
      keyring.offer(unlockKey);
      try {
        await this.#own.resumeNow();
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
    return this.#own.inTurn(async () => {
      if (request.forceNewCluster && this.#own.isWanted) return this.#moves.goAlone(request);
      if (this.#own.running) throw new SwarmError('no-manager', IN_A_SWARM);
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
        const running = await this.#own.begin(state, local, (lead) =>
          seed(state, lead, { cluster, local, request }),
        );
        await running.manager.untilLeading(AbortSignal.timeout(FIRST_LEAD_MS));
        await joinEngine(engine, local, await running.manager.engineToken());
        await this.#options.untilGossip?.(local);
        running.follow();
      } catch (error) {
        await this.#own.end();
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
    return this.#own.inTurn(async () => {
      if (this.#own.isWanted) throw new SwarmError('no-manager', IN_A_SWARM);
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
        this.#own.offer(answer.unlockKey);
        const running = await this.#own.begin(await states.enter(local, answer.access), local);
        await joinEngineSurely(engine, local, answer.engineToken, () => running.manager.engineToken());
        await this.#options.untilGossip?.(local);
        running.follow();
      } catch (error) {
        if (this.#own.running) await this.#own.resign({ remove: true });
        else await found.withdraw(local).catch(() => undefined);
        await this.#own.end();
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
    await this.#own
      .inTurn(async () => {
        if (this.#own.isWanted) return;
        const local = await this.#addresses.ofWorker(node);
        const keepsMember = states.witnessId === local.nodeId && !states.isReleased;
        const asked = await peers.become(node, local, await this.means(), { keepsMember });
        const { unlockKey, access, warnings } = asked;
        this.#own.offer(unlockKey);
        folder.make();
        folder.wipe();
        folder.writeLocal(local);
        (await this.#own.begin(await states.enter(local, access), local)).follow();
        log.info({ node: local.nodeId, addr: hostPort(local.advertise) }, 'Manager of a swarm');
        for (const warning of warnings) log.warn({ node: local.nodeId }, warning);
      })
      .catch(async (error: unknown) => {
        if (folder.readLocal() === undefined) throw error;
        log.warn({ err: messageOf(error) }, 'This host could not begin to manage; it is tried again');
        await this.resume();
      });
  }

  /** Until the signal fires: where this host gets another address while it manages, the manager goes on with that. Never rejects. */
  followAddress(signal: AbortSignal): Promise<void> {
    return this.#moves.followAddress(signal);
  }

  /**
   * Brings the state of a swarm that has one manager to where others can share it. Resolves when it is on its way: copied, and about
   * to be changed over, for which clients wait. Rejects where it can't be brought there; it stays where it is then.
   */
  share(): Promise<void> {
    return this.#moves.share();
  }

  /** Has this host, which is a node, keep the state for the managers without being one, or no more. */
  witness(node: WorkerNode, wanted: boolean): Promise<void> {
    return this.#own.inTurn(async () => {
      if (this.#own.isWanted) return;
      const means = (): Promise<Means> => this.means();
      await keepWitness({ ...this.#options, addresses: this.#addresses, means }, node, wanted);
    });
  }

  /** Whether this host keeps the state for managers elsewhere, and runs none. */
  get isWitness(): boolean {
    return !this.#own.running && this.#options.states.witnessId !== undefined;
  }

  /** This host is a witness no more: the others have removed it, or its engine has left their swarm (`always`). Never rejects. */
  async endWitness({ always }: { readonly always: boolean }): Promise<void> {
    await this.#own
      .inTurn(async () => {
        const { states } = this.#options;
        if (this.isWitness && (always || states.isReleased)) await forgetWitness(this.#options);
      })
      .catch((error: unknown) => {
        this.#options.log.error({ err: messageOf(error) }, 'What a witness has could not be removed');
      });
  }

  /** Ends the swarm of this host and forgets it; its engine leaves too. Throws `no-manager` in Docker's words. */
  leave(force: boolean): Promise<void> {
    return this.#own.inTurn(async () => {
      const { running } = this.#own;
      const { folder, states, log } = this.#options;
      if (!running) {
        if (this.trouble === undefined)
          throw new SwarmError('no-manager', 'This node is not part of a swarm');
        if (!force) throw new SwarmError('no-manager', this.isLocked ? LOCKED : ONE_OF_SEVERAL);
        const { nodeId } = folder.readLocal() ?? {};
        await this.#own.leaveEngine((id) => id === nodeId);
        await states.forget();
        folder.wipe();
        this.#own.say(undefined);
        return;
      }
      const { store, local } = running;
      const isLast = managersAmong(store.view.all('node')) <= 1;
      if (!force) throw new SwarmError('no-manager', isLast ? LAST_MANAGER : leavingOneOf(running));
      await running.unfollow();
      if (!isLast) await this.#own.resign({ remove: false });
      await this.#own.leaveEngine((nodeId) => store.view.get('node', nodeId) !== undefined);
      const clusterId = store.view.cluster()?.id ?? '';
      await this.#own.end();
      await (isLast ? states.erase(clusterId) : states.forget()).catch((error: unknown) => {
        log.warn({ err: messageOf(error) }, 'The state of the swarm could not be removed from the store');
      });
      folder.wipe();
      log.info({ node: local.nodeId }, isLast ? 'Left the swarm; its state is erased' : 'Left the swarm');
    });
  }

  /** Ends for now: the state stays. */
  close(): Promise<void> {
    return this.#own.close();
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
    return this.#own.settled;
  }

  #newCluster({ pools, spec, dataPathPort }: InitRequest): ReturnType<typeof createCluster> {
    const all = pools ? { defaultAddressPool: pools.pools, subnetSize: pools.size } : {};
    return createCluster({ spec, dataPathPort, ...all }, this.#options.times.wallMs());
  }
}
