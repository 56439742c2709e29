import { readFileSync } from 'node:fs';
import type { Times } from '../base/clock.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import { childLog, type Logger } from '../base/log.ts';
import { VERSION } from '../base/version.ts';
import {
  createCluster,
  EtcdClient,
  findCluster,
  LAYOUT,
  Lead,
  openEtcdStore,
  Presence,
  removeCluster,
  type EtcdAddress,
  type EtcdStore,
  type EtcdTls,
  type Keyring,
  type Leader,
  type LeadTerm,
  type LeadView,
  type Term,
} from '../store/index.ts';
import type { Candidate } from '../manager/index.ts';
import type { HostState, States } from './states.ts';

/** An etcd that the user runs, as swarmd was told of it. */
export interface EtcdPlace {
  readonly address: EtcdAddress;
  readonly tls?: EtcdTls;
}

interface World {
  readonly keyring: Keyring;
  /** Asks the manager that leads for the unlock key, where another one has locked the state meanwhile. */
  readonly askUnlockKey: (signal: AbortSignal) => Promise<Uint8Array>;
  readonly times: Times;
  readonly log: Logger;
}

const ASK_MS = 10_000;
/** What is read may be as old as this before users are told. */
const STALE_MS = 5_000;

/** The state of a swarm in an etcd that all of its managers are told of. */
export function etcdStates(place: EtcdPlace, world: World): States {
  const { prefix } = place.address;
  const asked = () => ({ signal: AbortSignal.timeout(ASK_MS), deadlineMs: ASK_MS });
  const withClient = async <T>(act: (client: EtcdClient) => Promise<T>): Promise<T> => {
    const client = clientOf(place);
    try {
      return await act(client);
    } catch (error) {
      if (error instanceof SwarmError) throw error;
      throw new SwarmError('unavailable', `the store does not answer: ${messageOf(error)}`, { cause: error });
    } finally {
      client.close();
    }
  };
  const open = async (clusterId: string): Promise<HostState> => {
    const client = clientOf(place);
    try {
      const store = await openEtcdStore(client, {
        prefix,
        clusterId,
        keyring: world.keyring,
        askUnlockKey: (signal) => world.askUnlockKey(signal),
        nowMs: () => world.times.wallMs(),
        onFault: (error) => world.log.error({ err: messageOf(error) }, 'A reader of the state failed'),
      });
      return new SharedState({ ...world, client, store, prefix, clusterId });
    } catch (error) {
      client.close();
      throw error;
    }
  };
  return {
    kind: 'etcd',
    hasOwn: false,
    open: async () => {
      const clusterId = await withClient((client) => findCluster(client, prefix, asked()));
      if (clusterId === undefined)
        throw new SwarmError('not-found', `there is no swarm in ${clientName(place)}`);
      return open(clusterId);
    },
    create: async (clusterId) => {
      await withClient((client) => createCluster(client, prefix, clusterId, asked()));
      return open(clusterId);
    },
    sharedClusterId: async () => (await withClient((client) => findCluster(client, prefix, asked()))) ?? '',
    erase: (clusterId) => withClient((client) => removeCluster(client, prefix, clusterId, asked())),
  };
}

/** Reads the files of `--store-cacert` and so on. Throws `unavailable`. */
export function readEtcdTls(files: {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}): EtcdTls {
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new SwarmError('unavailable', `cannot read ${path}: ${fileReason(error)}`, { cause: error });
    }
  };
  const ca = read(files.ca);
  return files.cert === '' ? { ca } : { ca, cert: read(files.cert), key: read(files.key) };
}

function clientOf({ address, tls }: EtcdPlace): EtcdClient {
  return new EtcdClient({ ...address, ...(tls ? { tls } : {}) });
}

function clientName({ address: { endpoints, prefix } }: EtcdPlace): string {
  return `etcd://${endpoints.join(',')}${prefix}`;
}

interface Parts extends World {
  readonly client: EtcdClient;
  readonly store: EtcdStore;
  readonly prefix: string;
  readonly clusterId: string;
}

class SharedState implements HostState {
  readonly store: EtcdStore;
  readonly isOwn = false;
  readonly keeping: HostState['keeping'];
  readonly #parts: Parts;
  readonly #stop = new AbortController();
  #presence: Presence | undefined;
  #taken: Term | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #electing: Promise<unknown> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.store = parts.store;
    const { clusterId } = parts;
    const objection = ({ storeClusterId }: Candidate): string | undefined =>
      storeClusterId === clusterId ? undefined : otherStore(storeClusterId);
    this.keeping = {
      objection,
      admit: async (_nodeId, candidate) => {
        const why = objection(candidate);
        if (why !== undefined) throw new SwarmError('conflict', why);
        return undefined;
      },
      release: () => Promise.resolve(),
    };
  }

  takePart(self: Leader): LeadView {
    const { client, prefix, clusterId, log } = this.#parts;
    const storeLog = childLog(log, 'store');
    const lead = new Lead(client, {
      prefix,
      clusterId,
      self,
      onTrouble: (message) => {
        if (message === undefined) storeLog.info('The store answers again');
        else storeLog.warn({ err: message }, 'The store does not answer');
      },
    });
    const present = { nodeId: self.id, addr: self.addr, version: VERSION, layout: LAYOUT };
    this.#presence = new Presence(client, { prefix, clusterId, self: present });
    const { signal } = this.#stop;
    this.#electing = lead.run({ signal });
    this.#running = this.#presence.run({ signal });
    return lead;
  }

  async takeOver(term: LeadTerm): Promise<void> {
    if (term === this.#taken) return;
    await this.store.lead(term as Term);
    this.#taken = term as Term;
  }

  isThere(nodeId: string): boolean {
    return this.#presence?.has(nodeId) ?? false;
  }

  get trouble(): string | undefined {
    const { silentMs } = this.store;
    if (silentMs < STALE_MS) return undefined;
    const seconds = Math.round(silentMs / 1000);
    return `the store of the swarm (${this.#parts.client.where}) has not answered for ${seconds} s: what is shown may be as old, and nothing can be changed`;
  }

  backupTo(): Promise<void> {
    return Promise.reject(
      new SwarmError('unsupported', 'the state is in an etcd of yours: save that (etcdctl snapshot save)'),
    );
  }

  async close(): Promise<void> {
    // What is asked for is written before the lead goes to another.
    await this.store.close();
    this.#stop.abort(new Error('this manager stops'));
    await Promise.all([this.#electing, this.#running]);
    this.#parts.client.close();
  }
}

function otherStore(found: string): string {
  return found === ''
    ? 'this swarm keeps its state in an etcd: start swarmd on that host with the same --store as on the other managers'
    : 'the --store that swarmd on that host was started with holds another swarm';
}
