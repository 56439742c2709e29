import {
  MESH_CLIENT_LABEL,
  stateRank,
  type Backend,
  type Endpoint,
  type Labels,
  type MeshPort,
  type ServiceEndpoints,
  type Task,
  type VirtualIp,
} from '../model/index.ts';
import type { View } from '../store/index.ts';

const RUNNING = stateRank('running');

/** What is read of the store to know who answers. */
export type Reader = Pick<View, 'get' | 'tasksOfService'>;

/** What a service is for its balancers, whether its row is there or only what is left of its tasks. */
interface Face {
  readonly name: string;
  readonly labels: Labels;
  /** One for each network, also those that the service is to lose. */
  readonly virtualIps: readonly VirtualIp[];
  readonly ports: Endpoint['ports'];
  /** Removed by its user: open connections go on, new ones are refused, and its ports may be another's already. */
  readonly isRemoved: boolean;
}

/**
 * Who answers for a service, on each network on which it has a virtual IP or publishes ports. Reads the rows of that
 * service and of its tasks' nodes and nothing else. `keepsClient` tells whether a task's node has said that it answers clients
 * at their own address; `isTaken` whether another service has that address of a network by now.
 */
export function endpointsOf(
  view: Reader,
  serviceId: string,
  keepsClient: (task: Task) => boolean,
  isTaken: (networkId: string, address: string) => boolean,
): ServiceEndpoints[] {
  const tasks = [...view.tasksOfService(serviceId)]
    .filter((task) => isBackend(task) && isReachable(view, task))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const face = faceOf(view, serviceId, tasks);
  if (!face) return [];
  const keepClients = face.labels[MESH_CLIENT_LABEL] === 'true';
  const found: ServiceEndpoints[] = [];
  for (const { networkId, addr } of face.virtualIps) {
    const network = view.get('network', networkId);
    if (!network || network.spec.nodeLocal) continue;
    const address = withoutPrefix(addr);
    const ports = network.spec.ingress && !face.isRemoved ? answeredPorts(meshPorts(face.ports), tasks) : [];
    const isLeaving = face.isRemoved || (network.spec.ingress && ports.length === 0);
    const backends = tasks.flatMap((task): Backend[] => {
      const own = addressOn(task, networkId);
      if (own === '') return [];
      const state = !isLeaving && isWanted(task) && answersAll(task, ports) ? 'serving' : 'leaving';
      const node = { nodeId: task.nodeId, nodeAddress: view.get('node', task.nodeId)?.status.addr ?? '' };
      return [{ taskId: task.id, ...node, address: own, state, keepsClients: keepsClient(task) }];
    });
    if (face.isRemoved && backends.length === 0) continue;
    found.push({
      ...{ networkId, serviceId, name: face.name, ports, backends },
      virtualIp: face.isRemoved && isTaken(networkId, address) ? '' : address,
      keepClients: keepClients && network.spec.ingress,
    });
  }
  return found;
}

/** Whether a task may answer for its service as far as it can say itself: it runs, and is neither a job's nor a mere place on a network. */
export function isBackend({ serviceId, jobIteration, status, networks }: Task): boolean {
  return serviceId !== '' && jobIteration === undefined && status.state === 'running' && networks.length > 0;
}

/** Whether a task is to go on. */
export function isWanted({ desiredState }: Task): boolean {
  return stateRank(desiredState) <= RUNNING;
}

/** `10.0.9.2` of `10.0.9.2/24`. */
export function withoutPrefix(address: string): string {
  return address.replace(/\/.*$/s, '');
}

function isReachable(view: Reader, { nodeId }: Task): boolean {
  const node = view.get('node', nodeId);
  return node !== undefined && node.status.state !== 'down';
}

function faceOf(view: Reader, serviceId: string, tasks: readonly Task[]): Face | undefined {
  const service = view.get('service', serviceId);
  if (service) {
    const { spec, endpoint } = service;
    if (!endpoint) return undefined;
    return {
      ...spec.annotations,
      virtualIps: virtualIpsOf([endpoint]),
      ports: endpoint.ports,
      isRemoved: false,
    };
  }
  const last = tasks.findLast(({ endpoint }) => endpoint !== undefined);
  if (!last?.endpoint) return undefined;
  const virtualIps = virtualIpsOf(tasks.toReversed().flatMap(({ endpoint }) => endpoint ?? []));
  return { ...last.serviceAnnotations, virtualIps, ports: last.endpoint.ports, isRemoved: true };
}

/** The first that is found for each network. */
function virtualIpsOf(endpoints: readonly Endpoint[]): readonly VirtualIp[] {
  const all = endpoints.flatMap(({ virtualIps, leavingIps = [] }) => [...virtualIps, ...leavingIps]);
  return [...new Map(all.toReversed().map((one) => [one.networkId, one])).values()].reverse();
}

function meshPorts(ports: Endpoint['ports']): MeshPort[] {
  return ports
    .filter(({ publishMode, publishedPort }) => publishMode === 'ingress' && publishedPort > 0)
    .map(({ protocol, publishedPort, targetPort }) => ({
      protocol,
      published: publishedPort,
      target: targetPort,
    }));
}

/** Ports at the targets that are answered: a new one from the first task on that was made for it, the former until then. */
function answeredPorts(ports: readonly MeshPort[], tasks: readonly Task[]): MeshPort[] {
  const wanted = tasks.filter(isWanted);
  return ports.map((port) => {
    const targets = wanted.map((task) => ownTarget(task, port)).filter((target) => target !== undefined);
    return { ...port, target: targets.includes(port.target) ? port.target : (targets[0] ?? port.target) };
  });
}

/**
 * Whether a task answers where its service says. One that was made for another target of a port does not: during an
 * update it would refuse what the new ones take.
 */
function answersAll(task: Task, ports: readonly MeshPort[]): boolean {
  return ports.every((port) => (ownTarget(task, port) ?? port.target) === port.target);
}

/** Where a task was made to answer a published port; undefined where it was made without that port. */
function ownTarget({ endpoint }: Task, { protocol, published }: MeshPort): number | undefined {
  return endpoint?.ports.find(
    (own) => own.publishMode === 'ingress' && own.protocol === protocol && own.publishedPort === published,
  )?.targetPort;
}

/** A network has IPv4 always, and virtual IPs are of it. */
function addressOn({ networks }: Task, networkId: string): string {
  const { addresses = [] } = networks.find((one) => one.networkId === networkId) ?? {};
  return withoutPrefix(addresses.find((address) => !address.includes(':')) ?? addresses[0] ?? '');
}
