import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../base/ids.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import type { Times } from '../base/clock.ts';
import { explainListenError } from '../base/listen-error.ts';
import { childLog, type Logger } from '../base/log.ts';
import { initialNetworks } from '../allocator/index.ts';
import { hasIpvs, ownerOfPort } from '../balancer/index.ts';
import { createCluster } from '../ca/index.ts';
import { swarmEvent, type InitRequest } from '../control/index.ts';
import type { Manager, ManagerOptions } from '../manager/index.ts';
import type { Node } from '../model/index.ts';
import type { Fresh, LoopContext, Store } from '../store/index.ts';
import { engineSubnets, engineSwarm, joinEngine, leaveOwnSwarm } from './engine-swarm.ts';
import { systemAddresses } from './interfaces.ts';
import type { LocalEngine } from './local-engine.ts';
import { Membership } from './membership.ts';
import { PlainNodes } from './plain-nodes.ts';
import type { LocalConfig, StateFolder } from './state-folder.ts';
import type { RecentEvents } from './recent-events.ts';
import { hostPort, swarmAddresses } from './swarm-addresses.ts';
import { tcpProbe } from './tcp-probe.ts';

/** The swarm that this host manages. */
export interface ManagedSwarm {
  readonly local: LocalConfig;
  readonly store: Store;
  readonly manager: Manager;
  /** Copies all that is kept to a new file. */
  readonly backupTo: (path: string) => Promise<void>;
  readonly membership: Membership;
  readonly plainNodes: PlainNodes;
}

export interface LifeOptions {
  readonly folder: StateFolder;
  /** Opens what lasts; the folder is there. */
  readonly openState: () => Promise<OpenState>;
  /** Rejects with the error of `listen` where the port is taken. */
  readonly startManager: (context: LoopContext, options: ManagerOptions) => Promise<Manager>;
  /** Instead of what the swarm's spec says. */
  readonly heartbeatNs?: number | undefined;
  readonly engine: LocalEngine;
  /** Waits until the engine, which has joined, can be found by others. Never rejects. */
  readonly untilGossip?: (local: LocalConfig) => Promise<void>;
  /** Told of what happens in the swarm. */
  readonly events: RecentEvents;
  readonly times: Times;
  readonly log: Logger;
}

/** The state, and how it is saved elsewhere. */
export interface OpenState {
  readonly store: Store;
  readonly backupTo: (path: string) => Promise<void>;
}

interface Running extends ManagedSwarm {
  readonly stop: AbortController;
  following: Promise<void>;
}

/** Docker's words where a node is in a swarm already. */
export const IN_A_SWARM =
  'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.';
const LAST_MANAGER =
  'You are attempting to leave the swarm on a node that is participating as a manager. ' +
  'Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. ';
const ONE_OF_SEVERAL =
  'You are attempting to leave the swarm on a node that is participating as a manager. ' +
  'The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. ' +
  'Use `--force` to suppress this message.';
/** How long an engine may still be about to leave a swarm or to begin: it says so for a moment only. */
const SETTLE_TRIES = 10;
const SETTLE_MS = 200;

/** Whether this host manages a swarm, and how that begins and ends. One change at a time. */
export class SwarmLife {
  readonly #options: LifeOptions;
  #running: Running | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: LifeOptions) {
    this.#options = options;
  }

  /** The swarm, where there is one. */
  get swarm(): ManagedSwarm | undefined {
    return this.#running;
  }

  /** Goes on with the swarm that the state folder holds, if it holds one. */
  resume(): Promise<void> {
    return this.#inTurn(async () => {
      const { folder, log } = this.#options;
      if (!folder.hasDatabase) return;
      const state = await this.#openState();
      const { store } = state;
      if (!store.view.cluster()) {
        await store.close();
        return;
      }
      const kept = folder.readLocal();
      const local = kept && store.view.get('node', kept.nodeId) ? kept : localOf(store);
      folder.writeLocal(local);
      await this.#begin(state, local);
      this.#follow();
      log.info({ node: local.nodeId, addr: hostPort(local.advertise) }, 'Manager of a swarm');
    });
  }

  /**
   * Makes a swarm of this host; gives its node's id. Everything is undone when a step fails. Throws `no-manager` and
   * `invalid` in Docker's words, and what the engine says where it can't join.
   */
  init(request: InitRequest): Promise<string> {
    return this.#inTurn(async () => {
      if (this.#running) {
        if (request.forceNewCluster) return this.#running.local.nodeId;
        throw new SwarmError('no-manager', IN_A_SWARM);
      }
      const { folder, engine, log } = this.#options;
      await this.#requireFreeEngine();
      await this.#requireNoState();
      const system = { addresses: systemAddresses(), engineSubnets: await engineSubnets(engine) };
      const local = { nodeId: newId(), ...swarmAddresses(request, system) };
      folder.make();
      folder.wipe();
      try {
        await this.#begin(await this.#newState(request, local), local);
        await joinEngine(engine, local, this.#engineToken());
        await this.#options.untilGossip?.(local);
      } catch (error) {
        await this.#end();
        folder.wipe();
        throw explainListenError(error);
      }
      this.#follow();
      log.info({ node: local.nodeId, addr: hostPort(local.advertise) }, 'Made a swarm');
      return local.nodeId;
    });
  }

  /** Ends the swarm of this host and forgets it; its engine leaves too. Throws `no-manager` in Docker's words. */
  leave(force: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const running = this.#running;
      if (!running) throw new SwarmError('no-manager', 'This node is not part of a swarm');
      const { engine, folder, log } = this.#options;
      if (!force)
        throw new SwarmError('no-manager', managersOf(running.store) > 1 ? ONE_OF_SEVERAL : LAST_MANAGER);
      running.stop.abort();
      await running.following;
      const isOurs = (nodeId: string): boolean => running.store.view.get('node', nodeId) !== undefined;
      await leaveOwnSwarm(engine, isOurs).catch((error: unknown) => {
        log.warn({ err: messageOf(error) }, 'The engine of this host could not leave the swarm');
      });
      await this.#end();
      folder.wipe();
      log.info({ node: running.local.nodeId }, 'Left the swarm; its state is erased');
    });
  }

  /** Ends for now: the state stays. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#end());
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #openState(): Promise<OpenState> {
    const { events, times } = this.#options;
    const state = await this.#options.openState();
    state.store.watch((changes) => {
      for (const change of changes) {
        const event = swarmEvent(change, times.wallMs());
        if (event) events.add(event);
      }
    });
    return state;
  }

  /** An engine that belongs elsewhere is left alone. */
  async #requireFreeEngine(): Promise<void> {
    for (let left = SETTLE_TRIES; ; left -= 1) {
      const { state } = await engineSwarm(this.#options.engine);
      if (state === 'inactive') return;
      if (left === 0 || state !== 'pending') throw new SwarmError('no-manager', IN_A_SWARM);
      await sleep(SETTLE_MS);
    }
  }

  /** What begins anew erases what is there; a backup may have been put there since the start. */
  async #requireNoState(): Promise<void> {
    const { folder, openState } = this.#options;
    if (!folder.hasDatabase) return;
    const { store } = await openState();
    const isSwarm = store.view.cluster() !== undefined;
    await store.close();
    if (isSwarm)
      throw new SwarmError(
        'conflict',
        `the state of a swarm is in '${folder.path}': restart swarmd to go on with it`,
      );
  }

  async #newState(request: InitRequest, local: LocalConfig): Promise<OpenState> {
    const { times } = this.#options;
    // Before there is a swarm: with its row alone a start would not know where to listen.
    this.#options.folder.writeLocal(local);
    const state = await this.#openState();
    const { store } = state;
    try {
      const pools = request.pools
        ? { defaultAddressPool: request.pools.pools, subnetSize: request.pools.size }
        : {};
      const { spec, dataPathPort } = request;
      const cluster = await createCluster({ spec, dataPathPort, ...pools }, times.wallMs());
      await store.update((tx) => {
        tx.create('cluster', cluster);
        tx.create('node', managerNode(local, request));
        for (const network of initialNetworks()) tx.create('network', network);
      });
      return state;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  async #begin({ store, backupTo }: OpenState, local: LocalConfig): Promise<void> {
    const { engine, times, log } = this.#options;
    try {
      await this.#overruleHeartbeat(store);
      const context = { store, times, log: childLog(log, 'manager') };
      const manager = await this.#options.startManager(context, local);
      const token = (): string => manager.engineToken();
      const membership = new Membership({ engine, local, token, clock: times, log });
      this.#running = {
        local,
        store,
        manager,
        backupTo,
        membership,
        plainNodes: plainNodesOf(context, local, manager),
        stop: new AbortController(),
        following: Promise.resolve(),
      };
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  #engineToken(): string {
    return this.#running?.manager.engineToken() ?? '';
  }

  async #overruleHeartbeat(store: Store): Promise<void> {
    const { heartbeatNs } = this.#options;
    if (heartbeatNs === undefined || store.view.cluster()?.spec.heartbeatPeriodNs === heartbeatNs) return;
    await store.update((tx) => {
      const cluster = tx.cluster();
      if (cluster)
        tx.update('cluster', { ...cluster, spec: { ...cluster.spec, heartbeatPeriodNs: heartbeatNs } });
    });
  }

  #follow(): void {
    const running = this.#running;
    if (!running) return;
    const { membership, plainNodes, stop } = running;
    running.following = Promise.all([membership.run(stop.signal), plainNodes.run(stop.signal)]).then(
      () => undefined,
    );
  }

  async #end(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    running.stop.abort();
    await running.following;
    await running.manager.close();
    await running.store.close();
  }
}

function plainNodesOf(context: LoopContext, local: LocalConfig, { endpoints }: Manager): PlainNodes {
  return new PlainNodes({
    ...context,
    own: { nodeId: local.nodeId, host: local.advertise.host },
    reportOf: (nodeId) => endpoints.reportOf(nodeId),
    hasIpvs,
    ownerOf: ownerOfPort,
    probe: tcpProbe,
  });
}

function managersOf(store: Store): number {
  let count = 0;
  for (const { role } of store.view.all('node')) if (role === 'manager') count += 1;
  return count;
}

/** The row of the host that the swarm begins with. Its engine fills in the rest. */
function managerNode(local: LocalConfig, { availability }: InitRequest): Fresh<'node'> {
  return {
    id: local.nodeId,
    spec: { annotations: { name: '', labels: {} }, role: 'manager', availability },
    role: 'manager',
    status: { state: 'unknown', message: '', addr: '' },
    certificate: { csrPem: '', certPem: '', state: 'issued' },
    managerAddr: hostPort(local.advertise),
    attachments: [],
  };
}

/** After a restore on a fresh disk: what the swarm itself knows of its manager. */
function localOf(store: Store): LocalConfig {
  const managers: Node[] = [];
  for (const node of store.view.all('node')) if (node.managerAddr !== undefined) managers.push(node);
  const [node] = managers;
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(node?.managerAddr ?? '') ?? [];
  if (!node || managers.length > 1 || host === '')
    throw new SwarmError('unavailable', 'the state does not say which of its nodes this host is');
  const listen = { host: '0.0.0.0', port: Number(port) };
  return { nodeId: node.id, listen, advertise: { host, port: Number(port) }, dataPath: '' };
}
