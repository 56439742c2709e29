import { newId } from '../../src/base/ids.ts';
import type {
  Availability,
  ClusterSpec,
  ContainerSpec,
  NodeDescription,
  NodeState,
  Platform,
  Resources,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
} from '../../src/model/index.ts';
import type { Fresh } from '../../src/store/index.ts';

const NS_PER_S = 1e9;

/** The cluster as `docker swarm init` makes it, without keys. */
export function clusterFixture(spec: Partial<ClusterSpec> = {}): Fresh<'cluster'> {
  return {
    id: newId(),
    spec: {
      annotations: { name: 'default', labels: {} },
      taskHistoryLimit: 5,
      raft: {
        snapshotInterval: 10_000,
        keepOldSnapshots: 0,
        logEntriesForSlowFollowers: 500,
        electionTick: 10,
        heartbeatTick: 1,
      },
      heartbeatPeriodNs: 5 * NS_PER_S,
      nodeCertExpiryNs: 7_776_000 * NS_PER_S,
      externalCas: [],
      forceRotate: 0,
      autoLockManagers: false,
      ...spec,
    },
    rootCa: { certPem: '', keyPem: '', joinTokens: { worker: '', manager: '' }, lastForcedRotation: 0 },
    networkKeys: [],
    defaultAddressPool: ['10.0.0.0/8'],
    subnetSize: 24,
    dataPathPort: 4789,
    removedNodes: {},
  };
}

export interface NodeWishes {
  readonly id?: string;
  readonly hostname?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly engineLabels?: Readonly<Record<string, string>>;
  readonly availability?: Availability;
  readonly state?: NodeState;
  readonly addr?: string;
  readonly platform?: Platform;
  /** What differs from 4 CPUs and 8 GiB. */
  readonly resources?: Partial<Resources>;
  readonly description?: Partial<NodeDescription>;
}

/** A worker: ready and active, 4 CPUs, 8 GiB, linux/x86_64. */
export function nodeFixture(wishes: NodeWishes = {}): Fresh<'node'> {
  const id = wishes.id ?? newId();
  const hostname = wishes.hostname ?? `host-${id.slice(0, 6)}`;
  return {
    id,
    spec: {
      annotations: { name: '', labels: wishes.labels ?? {} },
      role: 'worker',
      availability: wishes.availability ?? 'active',
    },
    role: 'worker',
    status: { state: wishes.state ?? 'ready', message: '', addr: wishes.addr ?? '192.168.150.9' },
    certificate: { csrPem: '', certPem: '', state: 'issued' },
    description: {
      hostname,
      platform: wishes.platform ?? { architecture: 'x86_64', os: 'linux' },
      resources: { nanoCpus: 4e9, memoryBytes: 8 * 2 ** 30, generic: [], ...wishes.resources },
      engineVersion: '28.5.2',
      engineLabels: wishes.engineLabels ?? {},
      plugins: [
        { type: 'Network', name: 'bridge' },
        { type: 'Network', name: 'overlay' },
        { type: 'Volume', name: 'local' },
        { type: 'Log', name: 'json-file' },
      ],
      tls: { trustRootPem: '', issuerSubject: '', issuerPublicKey: '' },
      fips: false,
      ...wishes.description,
    },
    attachments: [],
  };
}

/** A container of `httpd:2.4-alpine`. */
export function containerFixture(wishes: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    image: 'httpd:2.4-alpine',
    labels: {},
    command: [],
    args: [],
    hostname: '',
    env: [],
    dir: '',
    user: '',
    groups: [],
    tty: false,
    openStdin: false,
    readOnly: false,
    stopSignal: '',
    mounts: [],
    secrets: [],
    configs: [],
    hosts: [],
    isolation: '',
    sysctls: {},
    capabilityAdd: [],
    capabilityDrop: [],
    ulimits: [],
    oomScoreAdj: 0,
    registryAuth: '',
    ...wishes,
  };
}

export interface ServiceWishes {
  readonly id?: string;
  readonly name?: string;
  /** A replicated service of so many; `mode` overrules it. */
  readonly replicas?: number;
  readonly mode?: ServiceMode;
  readonly task?: Partial<TaskSpec>;
  readonly update?: ServiceSpec['update'];
  readonly rollback?: ServiceSpec['rollback'];
  readonly endpoint?: ServiceSpec['endpoint'];
  /** When a job was asked for. */
  readonly nowMs?: number;
}

/** The spec of a replicated service of one task. */
function serviceSpecFixture(wishes: ServiceWishes = {}): ServiceSpec {
  return {
    annotations: { name: wishes.name ?? `service-${newId().slice(0, 6)}`, labels: {} },
    task: { container: containerFixture(), networks: [], forceUpdate: 0, ...wishes.task },
    mode: wishes.mode ?? { kind: 'replicated', replicas: wishes.replicas ?? 1 },
    ...(wishes.update ? { update: wishes.update } : {}),
    ...(wishes.rollback ? { rollback: wishes.rollback } : {}),
    ...(wishes.endpoint ? { endpoint: wishes.endpoint } : {}),
  };
}

/** A service as `docker service create` makes it; jobs begin with iteration 0. */
export function serviceFixture(wishes: ServiceWishes = {}, specVersion = 1): Fresh<'service'> {
  const spec = serviceSpecFixture(wishes);
  const isJob = spec.mode.kind === 'replicated-job' || spec.mode.kind === 'global-job';
  return {
    id: wishes.id ?? newId(),
    spec,
    specVersion,
    ...(isJob ? { job: { iteration: 0, lastExecutionMs: wishes.nowMs ?? 0 } } : {}),
  };
}
