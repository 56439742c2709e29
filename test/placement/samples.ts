import type { Node, PortConfig, Resources, Task, TaskSpec } from '../../src/model/index.ts';
import type { Fresh } from '../../src/store/index.ts';
import { nodeFixture, type NodeWishes } from '../simulation/fixtures.ts';

const META = { version: 1, createdAtMs: 0, updatedAtMs: 0 };

export function nodeOf(id: string, wishes: NodeWishes = {}): Node {
  return { ...nodeFixture({ id, hostname: id, ...wishes }), meta: META };
}

/** A node whose agent has had no session yet. */
export function silentNode(id: string, wishes: NodeWishes = {}): Node {
  const fields = Object.entries(nodeOf(id, wishes)).filter(([name]) => name !== 'description');
  return Object.fromEntries(fields) as unknown as Node;
}

export interface TaskWishes {
  readonly serviceId?: string;
  readonly specVersion?: number;
  readonly nodeId?: string;
  readonly slot?: number;
  readonly spec?: Partial<TaskSpec>;
  readonly state?: Task['status']['state'];
  readonly desiredState?: Task['desiredState'];
  readonly ports?: readonly PortConfig[];
  readonly networkId?: string;
  readonly generic?: Task['assignedGenericResources'];
}

/** A task that is pending. */
export function freshTask(id: string, wishes: TaskWishes = {}): Fresh<'task'> {
  const { ports } = wishes;
  const network = { addresses: [], aliases: [], driverOptions: {} };
  return {
    id,
    serviceId: wishes.serviceId ?? 'web',
    slot: wishes.slot ?? 1,
    nodeId: wishes.nodeId ?? '',
    annotations: { name: '', labels: {} },
    serviceAnnotations: { name: 'web', labels: {} },
    spec: { networks: [], forceUpdate: 0, ...wishes.spec },
    specVersion: wishes.specVersion ?? 1,
    status: {
      state: wishes.state ?? 'pending',
      timestampMs: 0,
      message: 'pending task scheduling',
      err: '',
      ports: [],
      appliedBy: '',
      appliedAtMs: 0,
    },
    desiredState: wishes.desiredState ?? 'running',
    networks: wishes.networkId === undefined ? [] : [{ networkId: wishes.networkId, ...network }],
    ...(ports ? { endpoint: { spec: { mode: 'vip', ports }, ports, virtualIps: [] } } : {}),
    assignedGenericResources: wishes.generic ?? [],
  };
}

export function taskOf(id: string, wishes: TaskWishes = {}): Task {
  return { ...freshTask(id, wishes), meta: META };
}

export function reserve(wishes: Partial<Resources>): Pick<TaskSpec, 'reservations'> {
  return { reservations: { nanoCpus: 0, memoryBytes: 0, generic: [], ...wishes } };
}

export function constrain(...constraints: string[]): Pick<TaskSpec, 'placement'> {
  return { placement: { constraints, spreadOver: [], maxReplicas: 0, platforms: [] } };
}

/** A port in host mode. */
export function hostPort(publishedPort: number, protocol: PortConfig['protocol'] = 'tcp'): PortConfig {
  return { name: '', protocol, targetPort: 80, publishedPort, publishMode: 'host' };
}
