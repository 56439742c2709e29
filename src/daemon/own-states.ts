import { messageOf, SwarmError } from '../base/errors.ts';
import { childLog } from '../base/log.ts';
import {
  admitMember,
  clientUrl,
  endpointOf,
  followMembers,
  forgetHistory,
  listMembers,
  peerUrl,
  tellPeerUrl,
  type LocalMember,
} from '../ensemble/index.ts';
import {
  backupEtcd,
  findCluster,
  finishMove,
  forgetMoved,
  Move,
  movedTo,
  openStore,
  soleLead,
  sqliteBackend,
  type EtcdClient,
  type SqliteBackend,
} from '../store/index.ts';
import type { StoreAccess, StoreMember } from '../manager/index.ts';
import type { OwnEtcd } from './own-etcd.ts';
import { ensembleKeeping } from './ensemble-keeping.ts';
import { openSharedState, type SharedWorld } from './shared-state.ts';
import type { Means } from './manager-peers.ts';
import type { LocalConfig, StateFolder } from './state-folder.ts';
import type { HostState, StateMove, States } from './states.ts';
import { soleKeeping } from './sole-keeping.ts';

export interface OwnWorld extends SharedWorld {
  readonly folder: StateFolder;
  readonly etcd: OwnEtcd;
  /** A second manager wants in: the state is to move to where it can share it. Resolves when it is on its way, rejects where it can't. */
  readonly onWanted: () => Promise<void>;
  /** As this host's user says. */
  readonly storeMember: StoreMember;
}

const PREFIX = '/skep';
const ASK_MS = 15_000;
const MOVE_MS = 10 * 60_000;
/** The last rows, while clients wait. */
const FINISH_MS = 60_000;
/** Until a member that has come has its vote: etcd gives none before both have been connected for five seconds. */
const VOTE_MS = 40_000;
const LOOK_MS = 200;

const WAY_OUT =
  'more than half of the managers have to be there; where they are lost for good, docker swarm init --force-new-cluster on this host goes on without them';
const noMajority = (reason: string): string =>
  `the etcd of the swarm’s managers does not answer (${reason}): ${WAY_OUT}`;

/** The state that swarmd keeps by itself: in SQLite with one manager, in an etcd of the managers' own with several. */
export function ownStates(world: OwnWorld): States {
  return new OwnStates(world);
}

class OwnStates implements States {
  readonly kind = 'sqlite';
  readonly #world: OwnWorld;
  /** While SQLite's is open. */
  #backend: SqliteBackend | undefined;

  constructor(world: OwnWorld) {
    this.#world = world;
  }

  get layout(): number {
    return this.#world.layouts.newest;
  }

  get hasOwn(): boolean {
    const { folder, etcd } = this.#world;
    return folder.hasDatabase || (etcd.isThere && etcd.witnessId === undefined);
  }

  async open(): Promise<HostState> {
    const { folder, etcd } = this.#world;
    const moved = movedTo(folder.path);
    if (!moved && folder.hasDatabase) {
      // What a move that was cut off has left.
      if (etcd.isThere) await etcd.drop();
      return this.#openSqlite();
    }
    if (!etcd.isThere) throw new SwarmError('not-found', 'there is no state');
    const host = folder.readLocal()?.advertise.host ?? '';
    const member = await etcd.serving(host).catch((error: unknown) => {
      if (!etcd.isRemoved)
        throw new SwarmError('unavailable', noMajority(messageOf(error)), { cause: error });
    });
    if (!member) return this.#openRemoved();
    if (moved) {
      const client = member.client();
      try {
        await finishMove(moved, client, AbortSignal.timeout(ASK_MS));
      } finally {
        client.close();
      }
    }
    const state = await this.#openShared(member, member.client());
    if (moved) forgetMoved(folder.path);
    return state;
  }

  create(): Promise<HostState> {
    return this.#openSqlite();
  }

  async enter(local: LocalConfig, access: Parameters<States['enter']>[1]): Promise<HostState> {
    if (!access || access.endpoints.length === 0)
      throw new SwarmError(
        'conflict',
        'this swarm keeps its state in an etcd of its user’s: start swarmd on this host with the same --store as the other managers',
      );
    const { etcd } = this.#world;
    const { token, initialCluster, endpoints: others, ca: certPem, caKey: keyPem } = access;
    const admission = { token, initialCluster, others };
    const goOn = (): ReturnType<typeof etcd.serving> => {
      etcd.beWitness(false);
      return etcd.serving(local.advertise.host);
    };
    const member =
      initialCluster === '' && etcd.isThere
        ? await goOn()
        : await etcd.come(local.nodeId, local.advertise.host, admission, { certPem, keyPem });
    await this.#untilVote(member, access.endpoints);
    // As long as it has no vote it answers no question about the state.
    return this.#openShared(member, member.clientOf(access.endpoints));
  }

  /** A manager that others see can be relied on: its member has its vote. Goes on without where that takes too long. */
  async #untilVote(member: LocalMember, endpoints: readonly string[]): Promise<void> {
    const { times, log } = this.#world;
    const client = member.clientOf(endpoints);
    const signal = AbortSignal.timeout(VOTE_MS);
    try {
      while (!signal.aborted) {
        const members = await listMembers(client, { signal }).catch(() => []);
        if (members.some(({ name, isLearner }) => name === member.config.name && !isLearner)) return;
        await times.pause(LOOK_MS, signal);
      }
      log.warn({ member: member.config.name }, 'The member of etcd of this host has no vote yet');
    } finally {
      client.close();
    }
  }

  /**
   * The state as the others have it, of a host whose member they have removed while it was off: it tells what became of the host. One
   * that still manages comes in again.
   */
  async #openRemoved(): Promise<HostState> {
    const { etcd } = this.#world;
    const { member } = etcd;
    const others = member?.config.others ?? [];
    if (!member || others.length === 0)
      throw new SwarmError('unavailable', 'this host was removed from the etcd of its swarm');
    const state = await this.#openShared(member, member.clientOf(others));
    const { name, host } = member.config;
    if (state.store.view.get('node', name)?.role !== 'manager') return state;
    await state.close();
    const client = member.clientOf(others);
    try {
      const asked = { signal: AbortSignal.timeout(VOTE_MS), limitMs: VOTE_MS };
      const { initialCluster } = await admitMember(client, { name, peerUrl: peerUrl(member.config) }, asked);
      const again = await etcd.come(
        name,
        host,
        { token: member.config.token, initialCluster, others },
        etcd.ca,
      );
      await this.#untilVote(again, others);
      return await this.#openShared(again, again.clientOf(others));
    } finally {
      client.close();
    }
  }

  async move(local: LocalConfig, clusterId: string): Promise<StateMove> {
    const backend = this.#backend;
    const { etcd } = this.#world;
    if (!backend) throw new SwarmError('conflict', 'the state is no file of this host');
    const member = await etcd.found(local.nodeId, local.advertise.host);
    const client = member.client();
    const signal = AbortSignal.timeout(MOVE_MS);
    try {
      const move = await Move.begin(backend, client, { prefix: PREFIX, clusterId }, signal);
      await move.copy(signal).catch((error: unknown) => {
        move.abandon();
        throw error;
      });
      return { finish: () => move.finish(AbortSignal.timeout(FINISH_MS)).finally(() => client.close()) };
    } catch (error) {
      client.close();
      await etcd.drop();
      throw error;
    }
  }

  get witnessId(): string | undefined {
    return this.#world.etcd.witnessId;
  }

  get isReleased(): boolean {
    const { etcd } = this.#world;
    return etcd.witnessId !== undefined && etcd.isRemoved;
  }

  async stepDown(): Promise<void> {
    const { etcd, storeMember } = this.#world;
    if (storeMember === 'never' || etcd.isRemoved || !etcd.isThere) await etcd.leave({ alone: false });
    else etcd.beWitness(true);
  }

  async witness(local: LocalConfig | undefined, access?: StoreAccess): Promise<void> {
    const { etcd, log } = this.#world;
    if (!local || !access) {
      if (etcd.witnessId === undefined) return;
      const member = await etcd.serving(local?.advertise.host ?? '').catch((error: unknown) => {
        log.warn({ err: messageOf(error) }, 'The member of etcd of this host does not serve yet');
      });
      if (member && local) void this.#tellPeerUrl(member);
      return;
    }
    const { token, initialCluster, endpoints: others, ca: certPem, caKey: keyPem } = access;
    const { nodeId, advertise } = local;
    const ca = { certPem, keyPem };
    await etcd.come(nodeId, advertise.host, { token, initialCluster, others }, ca, { witness: true });
    log.info({ node: nodeId }, 'This host is a witness: it keeps the state, and runs no manager');
  }

  /** For a host without a manager, which has just found out its address. Never rejects. */
  async #tellPeerUrl(own: LocalMember): Promise<void> {
    const { times, log } = this.#world;
    const client = own.client();
    await tellPeerUrl(
      { client, own, clock: times, log: childLog(log, 'etcd') },
      AbortSignal.timeout(VOTE_MS),
    );
    client.close();
  }

  async alone(): Promise<void> {
    const { etcd } = this.#world;
    if (etcd.isThere) await etcd.alone();
  }

  sharedClusterId(): Promise<string> {
    return Promise.resolve('');
  }

  async etcd(): Promise<Omit<Means, 'layout' | 'storeClusterId'>> {
    const { etcd, storeMember } = this.#world;
    const obstacle = await etcd.requirePorts().then(() => '', messageOf);
    return { etcdVersion: await etcd.version(), obstacle, storeMember };
  }

  async erase(): Promise<void> {
    await this.#world.etcd.leave({ alone: true });
  }

  async forget(): Promise<void> {
    await this.#world.etcd.leave({ alone: false });
  }

  close(): Promise<void> {
    return this.#world.etcd.stop();
  }

  async #openSqlite(): Promise<HostState> {
    const { folder, keyring, layouts, times, log } = this.#world;
    const backend = sqliteBackend(folder.path, { layouts });
    try {
      const store = await openStore(backend, {
        keyring,
        layouts,
        nowMs: () => times.wallMs(),
        onFault: (error) => log.error({ err: messageOf(error) }, 'A reader of the state failed'),
      });
      this.#backend = backend;
      return {
        store,
        isOwn: true,
        takePart: soleLead,
        takeOver: () => Promise.resolve(),
        keeping: soleKeeping(this.#world),
        isThere: () => true,
        others: [],
        onOthers: () => () => undefined,
        trouble: undefined,
        needsMajority: false,
        backupTo: (path) => backend.backupTo(path),
        close: () => {
          this.#backend = undefined;
          return store.close();
        },
      };
    } catch (error) {
      await backend.close();
      throw error;
    }
  }

  async #openShared(member: LocalMember, client: EtcdClient): Promise<HostState> {
    const { layouts, times, log, etcd } = this.#world;
    const asked = { signal: AbortSignal.timeout(ASK_MS), deadlineMs: ASK_MS };
    const clusterId = await findCluster(client, PREFIX, asked).catch((error: unknown) => {
      client.close();
      throw new SwarmError('unavailable', `etcd does not answer: ${messageOf(error)}`, { cause: error });
    });
    if (clusterId === undefined) {
      client.close();
      throw new SwarmError('not-found', 'there is no state in this host’s etcd');
    }
    const own = endpointOf(clientUrl({ ...member.config, host: '127.0.0.1' }));
    return openSharedState({
      ...this.#world,
      ...{ client, clusterId, prefix: PREFIX },
      wayOut: WAY_OUT,
      keeping: ensembleKeeping({ client, member, etcd, prefix: PREFIX, times, log: childLog(log, 'etcd') }),
      backupTo: (path) =>
        backupEtcd(client, { prefix: PREFIX, clusterId }, path, AbortSignal.timeout(MOVE_MS), layouts),
      scrub: (signal) =>
        forgetHistory(
          { client, clientOf: (endpoints) => member.clientOf(endpoints), log: childLog(log, 'etcd') },
          signal,
        ),
      beside: (signal) => {
        const onKnown = (endpoints: readonly string[]): void =>
          member.remember(endpoints.filter((one) => one !== endpointOf(clientUrl(member.config))));
        const told = { client, own: member, clock: times, log: childLog(log, 'etcd') };
        return Promise.all([
          followMembers({ client, own, onKnown, clock: times }, signal),
          tellPeerUrl(told, signal),
        ]);
      },
    });
  }
}
