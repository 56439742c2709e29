import { newId } from '../../src/base/ids.ts';
import type { NetworkAttachment, PortConfig, Service, Task, TaskState } from '../../src/model/index.ts';
import type { Fresh, Store } from '../../src/store/index.ts';
import { nodeFixture, serviceFixture, type NodeWishes } from '../simulation/index.ts';
import { taskFixture } from '../dispatcher/in-process.ts';

export const INGRESS = 'ingress';

/** The third part of the addresses of a network: `ingress` has 10.0.0.0/24, `net-9` has 10.0.9.0/24. */
function subnetOf(networkId: string): string {
  return `10.0.${networkId === INGRESS ? 0 : Number(networkId.replace(/\D/g, ''))}`;
}

export function attachment(networkId: string, host: number): NetworkAttachment {
  return {
    networkId,
    addresses: [`${subnetOf(networkId)}.${host}/24`],
    aliases: [],
    driverOptions: {},
  };
}

export function networkRow(id: string, options: Readonly<Record<string, string>> = {}): Fresh<'network'> {
  const driver = { name: 'overlay', options };
  const subnet = `${subnetOf(id)}.0/24`;
  return {
    id,
    spec: {
      annotations: { name: id, labels: {} },
      ...{ driver, ipv6: false, internal: false, attachable: false },
      ingress: id === INGRESS,
      ...{ configOnly: false, nodeLocal: false },
    },
    allocated: {
      driver,
      ipam: {
        driver: { name: 'default', options: {} },
        configs: [{ subnet, range: '', gateway: `${subnetOf(id)}.1`, reserved: {} }],
      },
    },
  };
}

/** A node with an address on each of these networks, which ends in `host`. */
export function nodeRow(
  id: string,
  host: number,
  networks: readonly string[],
  wishes: NodeWishes = {},
): Fresh<'node'> {
  const attachments = networks.map((networkId) => attachment(networkId, host));
  return { ...nodeFixture({ id, ...wishes }), attachments };
}

export function port(published: number, target: number, more: Partial<PortConfig> = {}): PortConfig {
  return {
    ...{ name: '', protocol: 'tcp', publishMode: 'ingress' },
    ...{ publishedPort: published, targetPort: target, ...more },
  };
}

export interface ServiceRowWishes {
  /** Where it has a virtual IP. */
  readonly networks?: readonly string[];
  readonly ports?: readonly PortConfig[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** A service whose virtual IPs end in `host`. */
export function serviceRow(
  id: string,
  host: number,
  { networks = ['net-1'], ports = [], labels = {} }: ServiceRowWishes = {},
): Fresh<'service'> {
  const made = serviceFixture({ id, name: id, endpoint: { mode: 'vip', ports } });
  const virtualIps = networks.map((networkId) => ({
    networkId,
    addr: attachment(networkId, host).addresses[0] ?? '',
  }));
  return {
    ...made,
    spec: { ...made.spec, annotations: { name: id, labels } },
    endpoint: { spec: { mode: 'vip', ports }, ports, virtualIps },
  };
}

/** A task of a service, which runs if nothing else is said, with addresses on its service's networks that end in `host`. */
export function taskRow(
  service: Fresh<'service'> | Service,
  nodeId: string,
  host: number,
  more: Partial<Omit<Task, 'status'>> = {},
  state: TaskState = 'running',
): Fresh<'task'> {
  const task = taskFixture({
    id: newId(),
    serviceId: service.id,
    serviceAnnotations: service.spec.annotations,
    nodeId,
    networks: (service.endpoint?.virtualIps ?? []).map(({ networkId }) => attachment(networkId, host)),
    ...(service.endpoint ? { endpoint: service.endpoint } : {}),
    ...more,
  });
  return { ...task, status: { ...task.status, state } };
}

/** Changes a task's row. */
export async function changeTask(store: Store, id: string, change: (task: Task) => Task): Promise<void> {
  await store.update((tx) => {
    const task = tx.get('task', id);
    if (task) tx.update('task', change(task));
  });
}

export function tellToStop(store: Store, id: string, desiredState: Task['desiredState'] = 'shutdown') {
  return changeTask(store, id, (task) => ({ ...task, desiredState }));
}

export function setState(store: Store, id: string, state: Task['status']['state']): Promise<void> {
  return changeTask(store, id, (task) => ({ ...task, status: { ...task.status, state } }));
}
