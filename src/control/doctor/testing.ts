import { newId } from '../../base/ids.ts';
import type { Network, Service, ServiceSpec, Task } from '../../model/index.ts';
import { memoryBackend, openStore, type Fresh, type Store } from '../../store/index.ts';
import { sampleNode } from '../testing/sample-node.ts';
import { taskOf } from '../testing/service-samples.ts';

/** A store in memory, with the networks `ingress` and `back` of id `n0` and `n1`. */
export async function storeWithNetworks(): Promise<Store> {
  const store = await openStore(memoryBackend(), {
    nowMs: () => 0,
    onFault: (error) => {
      throw error;
    },
  });
  await store.update((tx) => {
    tx.create('network', networkOf('n0', 'ingress', '10.0.0.0/24', '4097', { ingress: true }));
    tx.create('network', networkOf('n1', 'back', '10.0.1.0/24', '4098'));
  });
  return store;
}

export function networkOf(
  id: string,
  name: string,
  subnet: string,
  vxlanId: string,
  parts: Partial<Network['spec']> = {},
): Fresh<'network'> {
  return {
    id,
    spec: {
      annotations: { name, labels: {} },
      ...{ ipv6: false, internal: false, attachable: false, ingress: false },
      ...{ configOnly: false, nodeLocal: false },
      ...parts,
    },
    allocated: {
      driver: { name: 'overlay', options: { 'com.docker.network.driver.overlay.vxlanid_list': vxlanId } },
      ipam: {
        driver: { name: 'default', options: {} },
        configs: [{ subnet, range: '', gateway: '', reserved: {} }],
      },
    },
  };
}

/** A node of that name (its id too), with an address on both networks. */
export async function putNode(store: Store, name: string, parts: Partial<Fresh<'node'>> = {}): Promise<void> {
  const { description, ...rest } = sampleNode(name);
  await store.update((tx) =>
    tx.create('node', {
      ...rest,
      ...(description ? { description: { ...description, hostname: name } } : {}),
      attachments: [onNetwork('n0', '10.0.0.250/24'), onNetwork('n1', '10.0.1.250/24')],
      ...parts,
    }),
  );
}

export function onNetwork(networkId: string, address: string): Task['networks'][number] {
  return { networkId, addresses: [address], aliases: [], driverOptions: {} };
}

/** A service of two replicas on `back` that publishes 8080, with its endpoint allocated. */
export async function putService(
  store: Store,
  name = 'web',
  parts: Partial<ServiceSpec> = {},
  allocated = true,
): Promise<Service> {
  const ports = [
    { name: '', protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'ingress' },
  ] as const;
  const endpoint = { mode: 'vip', ports } as const;
  const spec: ServiceSpec = {
    annotations: { name, labels: {} },
    task: {
      networks: [{ target: 'n1', aliases: [], driverOptions: {}, addresses: [] }],
      forceUpdate: 0,
    },
    mode: { kind: 'replicated', replicas: 2 },
    endpoint,
    ...parts,
  };
  const virtualIps = [
    { networkId: 'n0', addr: '10.0.0.5/24' },
    { networkId: 'n1', addr: '10.0.1.5/24' },
  ];
  return store.update((tx) =>
    tx.create('service', {
      id: newId(),
      spec,
      specVersion: tx.nextVersion,
      ...(allocated ? { endpoint: { spec: spec.endpoint ?? endpoint, ports, virtualIps } } : {}),
    }),
  );
}

/** A task that runs, in that slot on that node, with an address on both networks. */
export async function putTask(
  store: Store,
  service: Service,
  slot: number,
  nodeId: string,
  parts: Partial<Task> = {},
): Promise<void> {
  await store.update((tx) =>
    tx.create(
      'task',
      taskOf(service, `t${slot}`, {
        ...{ slot, nodeId },
        networks: [onNetwork('n0', `10.0.0.${10 + slot}/24`), onNetwork('n1', `10.0.1.${10 + slot}/24`)],
        ...parts,
      }),
    ),
  );
}
