import { readFileSync } from 'node:fs';
import { messageOf, SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import type { Candidate, StoreKeeping } from '../manager/index.ts';
import {
  backupEtcd,
  createCluster,
  EtcdClient,
  findCluster,
  removeCluster,
  type EtcdAddress,
  type EtcdTls,
} from '../store/index.ts';
import { openSharedState, type SharedWorld } from './shared-state.ts';
import type { HostState, States } from './states.ts';

/** An etcd that the user runs, as swarmd was told of it. */
export interface EtcdPlace {
  readonly address: EtcdAddress;
  readonly tls?: EtcdTls;
}

const ASK_MS = 10_000;
const BACKUP_MS = 10 * 60_000;

/** The state of a swarm in an etcd that all of its managers are told of. */
export function etcdStates(place: EtcdPlace, world: SharedWorld): States {
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
  const open = (clusterId: string): Promise<HostState> => {
    const client = clientOf(place);
    return openSharedState({
      ...world,
      ...{ client, prefix, clusterId },
      keeping: keepingOf(clusterId),
      backupTo: (path) => backupEtcd(client, { prefix, clusterId }, path, AbortSignal.timeout(BACKUP_MS)),
    });
  };
  const openFound = async (): Promise<HostState> => {
    const clusterId = await withClient((client) => findCluster(client, prefix, asked()));
    if (clusterId === undefined)
      throw new SwarmError('not-found', `there is no swarm in ${clientName(place)}`);
    return open(clusterId);
  };
  return {
    kind: 'etcd',
    layout: world.layouts.newest,
    hasOwn: false,
    open: openFound,
    create: async (clusterId) => {
      await withClient((client) => createCluster(client, prefix, clusterId, asked(), world.layouts.newest));
      return open(clusterId);
    },
    enter: openFound,
    move: () => Promise.reject(new SwarmError('unsupported', 'the state is in an etcd already')),
    etcd: () => Promise.resolve({ etcdVersion: '', obstacle: '', storeMember: 'never' }),
    forget: () => Promise.resolve(),
    alone: () => Promise.resolve(),
    witnessId: undefined,
    isReleased: false,
    stepDown: () => Promise.resolve(),
    witness: () => Promise.resolve(),
    close: () => Promise.resolve(),
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

function keepingOf(clusterId: string): StoreKeeping {
  const objection = ({ storeClusterId }: Candidate): string | undefined =>
    storeClusterId === clusterId ? undefined : otherStore(storeClusterId);
  return {
    objection,
    admit: async (_nodeId, candidate) => {
      const why = objection(candidate);
      if (why !== undefined) throw new SwarmError('conflict', why);
      return undefined;
    },
    release: () => Promise.resolve(),
    care: () => Promise.resolve(),
  };
}

function otherStore(found: string): string {
  return found === ''
    ? 'this swarm keeps its state in an etcd: start swarmd on that host with the same --store as on the other managers'
    : 'the --store that swarmd on that host was started with holds another swarm';
}
