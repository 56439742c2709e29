import { Alarms } from '../base/alarms.ts';
import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import type { BalancedNetwork, BalancerReport, EndpointsNeeds, Node, Task } from '../model/index.ts';
import type { LoopContext, StoreEvent } from '../store/index.ts';
import { balancedNetwork, entriesOf, networksOf, nodeAddress } from './balanced-network.ts';
import { boundedReport } from './bounded-report.ts';
import { EndpointTable, type EndpointsKey, type LeftTask } from './endpoint-table.ts';
import { REMOVED, REPLACED } from './ends.ts';
import { Followers } from './followers.ts';
import { isBackend, isWanted } from './service-endpoints.ts';
import { StopWaves, type HeldTask } from './stop-waves.ts';
import type { EndpointsWaits } from './types.ts';
import { UpdateStream, type Telling } from './update-stream.ts';

/** How long the first change waits for those that come with it. */
const TOGETHER_MS = 3;
/** Versions grow across restarts too, by the date; nobody sends so many a millisecond. */
const VERSIONS_PER_MS = 1_000;

/** The endpoints while they run: the store's changes on one side, the balancers' streams on the other. */
export class LiveEndpoints implements Telling {
  readonly followers = new Followers();
  readonly alarms: Alarms<() => void>;
  readonly #context: LoopContext;
  readonly #table: EndpointTable;
  readonly #waves: StopWaves;
  readonly #changed = new Bell();
  /** Services to be read anew. */
  readonly #dirty = new Set<string>();
  #entries: BalancedNetwork['entries'] | undefined;
  #version: number;

  constructor(context: LoopContext, waits: EndpointsWaits, onFreed: (task: HeldTask) => void) {
    const { times, store } = context;
    this.#context = context;
    this.#version = times.wallMs() * VERSIONS_PER_MS;
    this.alarms = new Alarms(times);
    this.#table = new EndpointTable(store.view, (task) => this.followers.keepsClient(task));
    this.#waves = new StopWaves({
      ...waits,
      alarms: this.alarms,
      nowMs: () => times.nowMs(),
      onFreed,
      onLate: (nodeId) => this.followers.late(nodeId),
    });
  }

  /** Follows the store until the signal fires. `ready` is called when there is something to tell of. */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { store, times } = this.#context;
    const unwatch = store.watch((events) => {
      for (const event of events) this.#see(event);
    });
    const ringing = this.alarms.run(signal, (ring) => ring());
    try {
      for (const { id } of store.view.all('service')) this.#dirty.add(id);
      // Some of services that are gone may run still.
      for (const task of store.view.all('task')) if (isBackend(task)) this.#dirty.add(task.serviceId);
      this.#flush();
      ready();
      while (await this.#changed.heard(signal)) {
        await times.pause(TOGETHER_MS, signal);
        this.#flush();
      }
    } finally {
      unwatch();
      this.#waves.freeAll();
      await ringing;
    }
  }

  holds(taskId: string): boolean {
    return this.#waves.holds(taskId);
  }

  /** The node's stream from now on. Undefined where the store has no such node. */
  follow(nodeId: string, needs: EndpointsNeeds): UpdateStream | undefined {
    const node = this.#context.store.view.get('node', nodeId);
    if (!node) return undefined;
    const stream = new UpdateStream(nodeId, networksOf(node), this, needs);
    this.followers.open(stream, REPLACED());
    return stream;
  }

  /** Takes what a node's balancer says of itself. */
  report(nodeId: string, said: BalancerReport): void {
    const { view } = this.#context.store;
    if (!view.get('node', nodeId)) return;
    const report = boundedReport(said);
    const keeps = report.keepsClients.filter((id) => view.get('task', id)?.nodeId === nodeId);
    const version = this.followers.report(nodeId, { ...report, keepsClients: keeps }, (taskId) => {
      const task = view.get('task', taskId);
      if (task) this.#touch(task.serviceId);
    });
    this.#waves.reported(nodeId, version);
  }

  on(networkId: string): ReturnType<EndpointTable['on']> {
    return this.#table.on(networkId);
  }

  network(nodeId: string, networkId: string): BalancedNetwork | undefined {
    const { view } = this.#context.store;
    const [node, network] = [view.get('node', nodeId), view.get('network', networkId)];
    if (!node || !network) return undefined;
    const hasKeepers = network.spec.ingress && this.#table.hasKeepers(nodeId);
    if (hasKeepers) this.#entries ??= entriesOf(view, networkId);
    return balancedNetwork(node, network, (hasKeepers && this.#entries) || []);
  }

  nextVersion(): number {
    return ++this.#version;
  }

  #see(event: StoreEvent): void {
    switch (event.kind) {
      case 'task':
        this.#seeTask(event);
        break;
      case 'service':
        this.#seeService(event);
        break;
      case 'node':
        this.#seeNode(event);
        break;
      case 'network':
        this.#seeNetwork(event);
        break;
      case 'cluster':
      case 'secret':
      case 'config':
      case 'seal':
    }
  }

  #seeTask({ type, object: task, previous }: StoreEvent<'task'>): void {
    const was = previous && isBackend(previous) ? previous : undefined;
    const is = type !== 'remove' && isBackend(task);
    if (!is) this.#waves.forget(task.id);
    if (!was && !is && type !== 'remove') return;
    if (was && is && sameBackend(was, task)) return;
    this.#touch(task.serviceId);
    // Whoever asks next whether it may stop is answered by this.
    if (was && is && isWanted(was) && !isWanted(task) && this.#isHeeded(task)) this.#waves.hold(task);
  }

  /** Whether somebody may be sending the task new connections who would hear of it. */
  #isHeeded(task: Task): boolean {
    return this.#table.servingOn(task).some((networkId) => this.followers.hasHeeded(networkId));
  }

  #seeService({ object, previous }: StoreEvent<'service'>): void {
    const isSame =
      previous?.endpoint === object.endpoint && previous?.spec.annotations === object.spec.annotations;
    if (previous && isSame) return;
    this.#touch(object.id);
    // An address of theirs may be this one's now.
    if (previous?.endpoint !== object.endpoint) for (const id of this.#table.removed) this.#touch(id);
  }

  #seeNode({ type, object: node, previous }: StoreEvent<'node'>): void {
    const { view } = this.#context.store;
    const isGone = type === 'remove';
    const isDown = ({ status }: Node): boolean => status.state === 'down';
    const hasMoved = previous !== undefined && previous.status.addr !== node.status.addr;
    if (isGone || hasMoved || (previous && isDown(previous) !== isDown(node)))
      for (const task of view.tasksOfNode(node.id)) if (isBackend(task)) this.#touch(task.serviceId);
    if (isGone) this.followers.remove(node.id, REMOVED());
    if (!isGone && previous?.attachments === node.attachments) return;
    if (!isGone) this.#seeAttachments(node, previous);
    this.#seeEntries(node, isGone, previous);
  }

  #seeAttachments(node: Node, previous: Node | undefined): void {
    const stream = this.followers.streamOf(node.id);
    if (stream?.needs !== 'all') return;
    this.followers.setNetworks(stream, networksOf(node));
    for (const id of stream.networks)
      if (previous && nodeAddress(previous, id) !== nodeAddress(node, id)) stream.touchNetwork(id);
  }

  /** Where clients come in matters to the nodes that keep their addresses. */
  #seeEntries(node: Node, isGone: boolean, previous: Node | undefined): void {
    const { view } = this.#context.store;
    const places = new Set([...networksOf(node), ...(previous ? networksOf(previous) : [])]);
    for (const id of places) {
      if (!view.get('network', id)?.spec.ingress) continue;
      if (!isGone && previous && nodeAddress(previous, id) === nodeAddress(node, id)) continue;
      this.#entries = undefined;
      for (const nodeId of this.#table.keepers()) this.followers.streamOf(nodeId)?.touchNetwork(id);
    }
  }

  #seeNetwork({ object, type, previous }: StoreEvent<'network'>): void {
    if (previous && previous.spec === object.spec && previous.allocated === object.allocated) return;
    if (object.spec.ingress) this.#entries = undefined;
    for (const stream of this.followers.on(object.id)) stream.touchNetwork(object.id, type !== 'update');
  }

  #touch(serviceId: string): void {
    this.#dirty.add(serviceId);
    this.#changed.ring();
  }

  /** A task that goes on may be told to stop before balancers have heard that it gets nothing any more. */
  #holdWanted({ taskId, networkId }: LeftTask): void {
    const task = this.#context.store.view.get('task', taskId);
    if (task && isBackend(task) && isWanted(task) && this.followers.hasHeeded(networkId))
      this.#waves.hold(task);
  }

  /** Reads anew what changed, and lets those know whom it concerns. */
  #flush(): void {
    const changed: EndpointsKey[] = [];
    const keepers = new Set<string>();
    for (const id of this.#dirty) {
      try {
        const news = this.#table.update(id);
        changed.push(...news.changed);
        for (const nodeId of news.keepers) keepers.add(nodeId);
        for (const one of news.left) this.#holdWanted(one);
      } catch (error) {
        this.#context.log.error(
          { service: id, err: messageOf(error) },
          'endpoints of a service can not be read',
        );
      }
    }
    this.#dirty.clear();
    const at = this.nextVersion();
    const told = new Set<string>();
    for (const key of changed) {
      for (const stream of this.followers.on(key.networkId)) stream.touchService(key);
      for (const nodeId of this.followers.heeded(key.networkId)) told.add(nodeId);
    }
    for (const nodeId of keepers) this.#touchIngress(nodeId);
    this.#waves.seal(at, told);
  }

  /** A node got its first task, or lost its last, that keeps its clients' addresses: what it is told of entries changes. */
  #touchIngress(nodeId: string): void {
    const stream = this.followers.streamOf(nodeId);
    for (const id of stream?.networks ?? [])
      if (this.#context.store.view.get('network', id)?.spec.ingress) stream?.touchNetwork(id);
  }
}

/** Whether what others are told of a task is the same. */
function sameBackend(a: Task, b: Task): boolean {
  return (
    a.desiredState === b.desiredState &&
    a.nodeId === b.nodeId &&
    a.networks === b.networks &&
    a.endpoint === b.endpoint
  );
}
