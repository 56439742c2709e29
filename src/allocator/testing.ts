import { SYSTEM_TIMES } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import { createLog } from '../base/log.ts';
import type { Network, NetworkSpec, Node, PortConfig, Service, ServiceSpec, Task } from '../model/index.ts';
import { memoryBackend, openStore, type Fresh, type LoopContext, type Store } from '../store/index.ts';
import { AllocatorRun } from './run.ts';
import { ALLOCATED_KINDS } from './state.ts';

/** An allocator that works when it is told to, over a store in memory: for tests. */
export interface Bench {
  readonly store: Store;
  readonly context: LoopContext;
  /** Works until there is nothing to do. */
  readonly settle: () => Promise<void>;
  run: AllocatorRun;
  /** Starts anew from the rows. */
  readonly restart: () => void;
}

export async function allocatorBench(pool = '10.0.0.0/8', subnetSize = 24): Promise<Bench> {
  const store = await openStore(memoryBackend(), {
    nowMs: () => 1_000,
    onFault: (error) => {
      throw error;
    },
  });
  await store.update((tx) => tx.create('cluster', clusterRow(pool, subnetSize)));
  const context: LoopContext = {
    store,
    times: { ...SYSTEM_TIMES, wallMs: () => 5_000 },
    log: createLog('fatal'),
  };
  const fresh = (): AllocatorRun => {
    const run = new AllocatorRun(context, new AbortController().signal);
    for (const kind of ALLOCATED_KINDS) for (const { id } of store.view.all(kind)) run.note(kind, id);
    return run;
  };
  const bench: Bench = {
    store,
    context,
    run: fresh(),
    settle: () => bench.run.settle(),
    restart: () => void (bench.run = fresh()),
  };
  store.watch((events) => events.forEach(({ kind, object }) => bench.run.note(kind, object.id)));
  return bench;
}

function clusterRow(pool: string, subnetSize: number): Fresh<'cluster'> {
  return {
    id: 'cluster',
    spec: {
      annotations: { name: 'default', labels: {} },
      taskHistoryLimit: 5,
      raft: {
        snapshotInterval: 0,
        keepOldSnapshots: 0,
        logEntriesForSlowFollowers: 0,
        electionTick: 0,
        heartbeatTick: 0,
      },
      heartbeatPeriodNs: 0,
      nodeCertExpiryNs: 0,
      externalCas: [],
      forceRotate: 0,
      autoLockManagers: false,
    },
    rootCa: { certPem: '', keyPem: '', joinTokens: { worker: '', manager: '' }, lastForcedRotation: 0 },
    networkKeys: [],
    defaultAddressPool: [pool],
    subnetSize,
    dataPathPort: 4789,
    removedNodes: {},
  };
}

export function networkRow(name: string, spec: Partial<NetworkSpec> = {}): Fresh<'network'> {
  return {
    id: name,
    spec: {
      annotations: { name, labels: {} },
      driver: { name: 'overlay', options: {} },
      ipv6: false,
      internal: false,
      attachable: false,
      ingress: false,
      configOnly: false,
      nodeLocal: false,
      ...spec,
    },
  };
}

/** A network with these subnets: `10.1.0.0/24`. */
export function subnetRow(name: string, ...subnets: string[]): Fresh<'network'> {
  const configs = subnets.map((subnet) => ({ subnet, range: '', gateway: '', reserved: {} }));
  return networkRow(name, { ipam: { driver: { name: 'default', options: {} }, configs } });
}

export function serviceRow(
  name: string,
  networks: readonly string[],
  endpoint?: ServiceSpec['endpoint'],
): Fresh<'service'> {
  return {
    id: name,
    specVersion: 1,
    spec: {
      annotations: { name, labels: {} },
      task: {
        networks: networks.map((target) => ({ target, aliases: [name], driverOptions: {}, addresses: [] })),
        forceUpdate: 0,
      },
      mode: { kind: 'replicated', replicas: 1 },
      ...(endpoint ? { endpoint } : {}),
    },
  };
}

export function port(publishedPort: number, more: Partial<PortConfig> = {}): PortConfig {
  return { name: '', protocol: 'tcp', targetPort: 80, publishedPort, publishMode: 'ingress', ...more };
}

export function taskRow(
  service: Pick<Service, 'id' | 'spec'>,
  id: string = newId(),
  more: Partial<Fresh<'task'>> = {},
): Fresh<'task'> {
  return {
    id,
    serviceId: service.id,
    slot: 1,
    nodeId: '',
    annotations: { name: '', labels: {} },
    serviceAnnotations: service.spec.annotations,
    spec: service.spec.task,
    specVersion: 1,
    status: {
      state: 'new',
      timestampMs: 0,
      message: 'created',
      err: '',
      ports: [],
      appliedBy: '',
      appliedAtMs: 0,
    },
    desiredState: 'running',
    networks: [],
    assignedGenericResources: [],
    ...more,
  };
}

export function nodeRow(id: string): Fresh<'node'> {
  return {
    id,
    spec: { annotations: { name: id, labels: {} }, role: 'worker', availability: 'active' },
    role: 'worker',
    status: { state: 'ready', message: '', addr: '' },
    certificate: { csrPem: '', certPem: '', state: 'issued' },
    attachments: [],
  };
}

/** Reads what is to be there. */
export function rows(store: Store): {
  network(id: string): Network;
  service(id: string): Service;
  task(id: string): Task;
  node(id: string): Node;
} {
  const get = <K extends 'network' | 'service' | 'task' | 'node'>(kind: K, id: string) => {
    const row = store.view.get(kind, id);
    if (!row) throw new Error(`no ${kind} ${id}`);
    return row;
  };
  return {
    network: (id) => get('network', id),
    service: (id) => get('service', id),
    task: (id) => get('task', id),
    node: (id) => get('node', id),
  };
}

/** Changes a task's state, and what else is given. */
export async function changeTask(
  store: Store,
  id: string,
  state: Task['status']['state'],
  more: Partial<Task> = {},
): Promise<void> {
  await store.update((tx) => {
    const task = tx.get('task', id);
    if (task) tx.update('task', { ...task, ...more, status: { ...task.status, state } });
  });
}
