import type { Cluster, Network, Node, Service, Task } from '../model/index.ts';
import type { View } from '../store/index.ts';
import { AddressBook, heldIn, vxlanIdsOf } from './address-book.ts';
import { NodeNetworks } from './node-networks.ts';
import {
  INGRESS,
  namedAddressKey,
  networkKey,
  nodePlaceKey,
  PORTS,
  serviceKey,
  SUBNETS,
  VXLAN_IDS,
  type Reader,
} from './plan.ts';
import { isHeldBack } from './plan-node.ts';
import { virtualIpsOf } from './endpoint.ts';
import { ingressPorts, isAllocated } from './plan-service.ts';
import { attachmentsInUse, isNew } from './plan-task.ts';
import { PortTable } from './port-table.ts';
import { ServicePlaces } from './service-places.ts';
import { Waiters } from './waiters.ts';

/** In the order in which one needs another. */
export const ALLOCATED_KINDS = ['network', 'service', 'task', 'node'] as const;
export type AllocatedKind = (typeof ALLOCATED_KINDS)[number];

/**
 * What is taken and by whom, what is to be planned, and what waits for what. All of it follows from the rows: `sync`
 * takes note of one as it is now, and calling it once more changes nothing.
 */
export class AllocatorState implements Reader {
  readonly book = new AddressBook();
  readonly ports = new PortTable();
  readonly places = new ServicePlaces();
  readonly waiters = new Waiters();
  /** Ids of rows to be planned. */
  readonly todo: Readonly<Record<AllocatedKind, Set<string>>> = {
    network: new Set(),
    service: new Set(),
    task: new Set(),
    node: new Set(),
  };
  readonly #view: View;
  readonly #nodes = new NodeNetworks();
  #ingressId: string | undefined;
  #dropped = 0;

  constructor(view: View) {
    this.#view = view;
  }

  readonly get: View['get'] = (kind, id) => this.#view.get(kind, id);

  cluster(): Cluster | undefined {
    return this.#view.cluster();
  }

  ingress(): Network | undefined {
    return this.#ingressId === undefined ? undefined : this.#view.get('network', this.#ingressId);
  }

  nodeCount(): number {
    return this.#view.count('node');
  }

  reason(item: string): string {
    return this.waiters.why(item);
  }

  /** The networks that a node takes part in, the ingress network first. */
  networksOf(nodeId: string): Iterable<string> {
    const own = this.#nodes.of(nodeId);
    return this.#ingressId === undefined ? own : new Set([this.#ingressId, ...own]);
  }

  /** The tasks that a node is not told of because it lacks an address. */
  heldTasks(node: Node): readonly Task[] {
    return [...this.#view.tasksOfNode(node.id)].filter((task) => isHeldBack(node, task));
  }

  sync(kind: AllocatedKind, id: string): void {
    if (kind === 'network') this.#syncNetwork(id);
    else if (kind === 'service') this.#syncService(id);
    else if (kind === 'task') this.#syncTask(id);
    else this.#syncNode(id);
  }

  syncCluster(): void {
    this.wake(SUBNETS);
  }

  /** Whether there is something to plan. */
  get isOpen(): boolean {
    return ALLOCATED_KINDS.some((kind) => this.todo[kind].size > 0);
  }

  /** Plans again what waits for a thing. */
  wake(key: string, limit?: number): void {
    for (const item of this.waiters.wake(key, limit)) {
      const [kind, id] = item.split('/') as [AllocatedKind, string];
      this.todo[kind].add(id);
    }
  }

  /** Wakes what waits for addresses, as many as there are addresses, and for subnets where a network went. */
  wakeForFree(): void {
    for (const key of this.waiters.keys()) {
      const id = key.slice(key.indexOf('/') + 1);
      // It need not be one of those that are given out.
      if (key === namedAddressKey(id)) this.wake(key);
      if (key !== networkKey(id) && key !== nodePlaceKey(id)) continue;
      const free = this.book.network(id)?.room.free ?? 0;
      if (free > 0) this.wake(key, free);
    }
    if (this.#dropped === this.book.dropped) return;
    this.#dropped = this.book.dropped;
    this.wake(SUBNETS);
    this.wake(VXLAN_IDS);
  }

  #syncNetwork(id: string): void {
    const network = this.#view.get('network', id);
    this.#setTodo('network', id, network !== undefined && !network.allocated && !network.spec.nodeLocal);
    if (!network) {
      for (const nodeId of this.#nodes.nodesWith(id)) this.todo.node.add(nodeId);
      this.book.removeNetwork(id);
    } else if (network.allocated) {
      const { driver, ipam } = network.allocated;
      this.book.addNetwork(id, ipam, vxlanIdsOf(driver.options), network.spec.ipv6);
      this.wake(networkKey(id));
    } else if (network.spec.nodeLocal) this.wake(networkKey(id));
    else this.book.forgetPlan(id);
    if (network?.spec.ingress || this.#ingressId === id) this.#syncIngress(id, network);
  }

  #syncIngress(id: string, network: Network | undefined): void {
    this.#ingressId = network?.spec.ingress ? id : undefined;
    for (const node of this.#view.all('node')) this.todo.node.add(node.id);
    this.wake(INGRESS);
  }

  #syncService(id: string): void {
    const service = this.#view.get('service', id);
    this.ports.name(id, new Set(service ? ingressPorts(service.spec.endpoint?.ports ?? []) : []));
    if (this.settleService(id, service)) this.wake(PORTS);
    const isReady = service !== undefined && isAllocated(this, service);
    this.#setTodo('service', id, service !== undefined && !isReady);
    if (isReady) this.wake(serviceKey(id));
  }

  /** Makes what a service has what its row says. True when ports became free. */
  settleService(id: string, service = this.#view.get('service', id)): boolean {
    this.book.settle(`service/${id}`, vipsOf(service));
    return this.ports.settle(id, new Set(ingressPorts(service?.endpoint?.ports ?? [])));
  }

  #syncTask(id: string): void {
    const task = this.#view.get('task', id);
    this.settleTask(id, task);
    for (const nodeId of this.#nodes.set(id, task)) this.todo.node.add(nodeId);
    for (const { serviceId, networkId } of this.places.set(id, task))
      if (isLeaving(this.#view.get('service', serviceId), networkId)) this.#syncService(serviceId);
    this.#setTodo('task', id, task !== undefined && isNew(task));
  }

  settleTask(id: string, task = this.#view.get('task', id)): void {
    this.book.settle(`task/${id}`, task ? heldIn(attachmentsInUse(task)) : []);
  }

  #syncNode(id: string): void {
    const node = this.#view.get('node', id);
    this.book.settle(`node/${id}`, node ? heldIn(node.attachments) : []);
    this.#setTodo('node', id, node !== undefined);
  }

  #setTodo(kind: AllocatedKind, id: string, isOpen: boolean): void {
    this.waiters.drop(`${kind}/${id}`);
    if (isOpen) this.todo[kind].add(id);
    else this.todo[kind].delete(id);
  }
}

function vipsOf(service: Service | undefined): { networkId: string; address: string }[] {
  return virtualIpsOf(service?.endpoint).map(({ networkId, addr }) => ({ networkId, address: addr }));
}

/** Whether a service still has the virtual IP of a network that its spec asks for no more. */
function isLeaving(service: Service | undefined, networkId: string): boolean {
  return service?.endpoint?.leavingIps?.some((vip) => vip.networkId === networkId) ?? false;
}
