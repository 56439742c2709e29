import { asObject, type Json } from '../../base/json.ts';
import { needsIngress } from '../../allocator/index.ts';
import type { Network, Service, Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { taskName } from '../find.ts';

/** What `docker network inspect --verbose` shows of one service, in Docker's names. */
interface ServiceInfo {
  readonly VIP: string;
  readonly Ports: readonly string[];
  readonly LocalLBIndex: number;
  readonly Tasks: readonly TaskInfo[];
}

interface TaskInfo {
  readonly Name: string;
  readonly EndpointID: string;
  readonly EndpointIP: string;
  readonly Info: { readonly 'Host IP': string };
}

/** As Go prints no address. */
const NO_ADDRESS = '<nil>';
const SHORT_ID = 12;

/**
 * Adds to what is shown of a network who is on it in the whole swarm. An engine knows that by gossip, and only of networks that it
 * is on itself: what it says stays, and what it can't know is taken from the store.
 */
export function withVerbose(shown: Json, view: View, network: Network): Json {
  const theirs = asObject(shown['Services']);
  const ours = servicesOn(view, network).filter(([name]) => !Object.hasOwn(theirs, name));
  const peers = shown['Peers'] ?? peersOf(view, network.id);
  return { ...shown, Services: Object.fromEntries([...Object.entries(theirs), ...ours]), Peers: peers };
}

function servicesOn(view: View, network: Network): [string, ServiceInfo][] {
  const services = network.spec.ingress
    ? [...view.all('service')].filter(({ spec }) => needsIngress(spec))
    : [...view.servicesUsing('network', network.id)];
  const infos = services.map((service): [string, ServiceInfo] => [
    service.spec.annotations.name,
    serviceInfo(view, service, network),
  ]);
  const places = tasksInfo(view, view.tasksOfService(''), network.id);
  const plain: [string, ServiceInfo] = ['', { VIP: NO_ADDRESS, Ports: [], LocalLBIndex: 0, Tasks: places }];
  return [...infos, plain].filter(([, { Tasks }]) => Tasks.length > 0);
}

function serviceInfo(view: View, { id, endpoint }: Service, network: Network): ServiceInfo {
  const vip = endpoint?.virtualIps.find(({ networkId }) => networkId === network.id)?.addr;
  const ports = network.spec.ingress ? (endpoint?.ports ?? []) : [];
  return {
    VIP: vip === undefined ? NO_ADDRESS : bare(vip),
    Ports: ports
      .filter(({ publishMode }) => publishMode === 'ingress')
      .map(({ targetPort, publishedPort }) => `Target: ${targetPort}, Publish: ${publishedPort}`),
    LocalLBIndex: 0,
    Tasks: tasksInfo(view, view.tasksOfService(id), network.id),
  };
}

function tasksInfo(view: View, tasks: Iterable<Task>, networkId: string): TaskInfo[] {
  const infos: TaskInfo[] = [];
  for (const task of tasks) {
    if (task.status.state !== 'running') continue;
    const address = task.networks.find((one) => one.networkId === networkId)?.addresses[0];
    if (address === undefined) continue;
    infos.push({
      Name: nameOf(task),
      // Engines choose it and tell no manager.
      EndpointID: '',
      EndpointIP: bare(address),
      Info: { 'Host IP': view.get('node', task.nodeId)?.status.addr ?? '' },
    });
  }
  return infos;
}

/** As its engine calls the container; of one that is no task only the id is known. */
function nameOf(task: Task): string {
  const { attachment } = task.spec;
  return attachment ? attachment.containerId.slice(0, SHORT_ID) : taskName(task);
}

function peersOf(view: View, networkId: string): unknown {
  const peers = [...view.all('node')]
    .filter(({ attachments }) => attachments.some((one) => one.networkId === networkId))
    .map(({ id, status, description }) => ({ Name: description?.hostname ?? id, IP: status.addr }));
  return peers.length > 0 ? peers : undefined;
}

function bare(cidr: string): string {
  return cidr.replace(/\/.*$/, '');
}
