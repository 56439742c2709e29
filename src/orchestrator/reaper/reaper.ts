import { hasEnded, type Cluster, type Task } from '../../model/index.ts';
import type { LoopContext, StoreEvent, Tx } from '../../store/index.ts';
import { placeOf, type PlaceKey } from '../wanted.ts';
import { isHistory, isToGo } from './over.ts';
import { Places } from './places.ts';
import { surplusTasks } from './surplus.ts';
import { isUpdating } from './telling.ts';

/** Knows which tasks each place has, and which places, tasks and nodes are to be looked at. */
export class Reaper {
  readonly #context: LoopContext;
  readonly #places = new Places();
  /** By service. */
  #dirty = new Map<string, Set<PlaceKey>>();
  /** Tasks to remove. */
  #toGo = new Set<string>();
  /** Tasks whose node is gone. */
  #left = new Set<string>();

  constructor(context: LoopContext) {
    this.#context = context;
  }

  lookAtEverything(): void {
    this.#places.clear();
    for (const task of this.#context.store.view.all('task')) {
      this.#seeNodeOf(task);
      this.#seeTask(task);
    }
    this.#lookAtAllPlaces();
  }

  /** True when there is something to do. An event costs as much as it concerns. */
  see(events: readonly StoreEvent[]): boolean {
    for (const event of events) {
      if (event.kind === 'task') this.#taskChanged(event);
      else if (event.kind === 'node' && event.type === 'remove') this.#nodeGone(event.object.id);
      else if (event.kind === 'service') this.#serviceChanged(event);
      else if (event.kind === 'cluster' && limitOf(event.object) !== limitOf(event.previous))
        this.#lookAtAllPlaces();
    }
    return this.#dirty.size + this.#toGo.size + this.#left.size > 0;
  }

  /** Rejects when the store does; then everything has to be looked at again. */
  async turn(): Promise<void> {
    const { store, times } = this.#context;
    const left = this.#left;
    this.#left = new Set();
    await store.batch(left, (tx, id) => orphan(tx, id, times.wallMs()));
    // What that did is among them already.
    const [toGo, dirty] = [this.#toGo, this.#dirty];
    this.#toGo = new Set();
    this.#dirty = new Map();
    for (const [serviceId, places] of dirty)
      for (const place of places) for (const { id } of this.#surplus(serviceId, place)) toGo.add(id);
    await store.batch(toGo, remove);
  }

  #surplus(serviceId: string, place: PlaceKey): Task[] {
    const { view } = this.#context.store;
    const limit = limitOf(view.cluster());
    const ids = this.#places.tasksAt(serviceId, place);
    const service = view.get('service', serviceId);
    // Without a service they are all told to go.
    if (!service || limit < 0 || ids.length <= limit) return [];
    const tasks = ids.flatMap((id) => view.get('task', id) ?? []);
    return surplusTasks(tasks, service, limit);
  }

  #taskChanged({ type, object: task, previous }: StoreEvent<'task'>): void {
    if (type === 'remove') {
      this.#places.delete(task);
      return;
    }
    if (task.nodeId !== previous?.nodeId) this.#seeNodeOf(task);
    this.#seeTask(task);
    if (task.serviceId === '') return;
    const service = this.#context.store.view.get('service', task.serviceId);
    const isMore = isHistory(task, service) && !(previous && isHistory(previous, service));
    if (!previous || isMore) this.#markDirty(task.serviceId, placeOf(task));
  }

  #seeTask(task: Task): void {
    if (task.serviceId !== '') this.#places.add(task);
    if (isToGo(task)) this.#toGo.add(task.id);
  }

  #seeNodeOf(task: Task): void {
    if (task.nodeId === '' || hasEnded(task.status.state)) return;
    if (!this.#context.store.view.get('node', task.nodeId)) this.#left.add(task.id);
  }

  #nodeGone(nodeId: string): void {
    for (const task of this.#context.store.view.tasksOfNode(nodeId))
      if (!hasEnded(task.status.state)) this.#left.add(task.id);
  }

  #serviceChanged({ object, previous }: StoreEvent<'service'>): void {
    if (!previous) return;
    const isNewRun = previous.job?.iteration !== object.job?.iteration;
    if (isNewRun || (isUpdating(previous) && !isUpdating(object))) this.#lookAtPlacesOf(object.id);
  }

  #lookAtPlacesOf(serviceId: string): void {
    const limit = limitOf(this.#context.store.view.cluster());
    if (limit < 0) return;
    for (const place of this.#places.crowded(serviceId, limit)) this.#markDirty(serviceId, place);
  }

  #lookAtAllPlaces(): void {
    for (const id of this.#places.services()) this.#lookAtPlacesOf(id);
  }

  #markDirty(serviceId: string, place: PlaceKey): void {
    const places = this.#dirty.get(serviceId);
    if (places) places.add(place);
    else this.#dirty.set(serviceId, new Set([place]));
  }
}

/** Before there is a swarm, nothing is too much. */
function limitOf(cluster: Cluster | undefined): number {
  return cluster?.spec.taskHistoryLimit ?? -1;
}

/** With its node gone nobody will say any more how a task fares, or on which ports. The words are SwarmKit's. */
function orphan(tx: Tx, id: string, nowMs: number): void {
  const task = tx.get('task', id);
  if (!task || hasEnded(task.status.state) || tx.get('node', task.nodeId)) return;
  const message = 'Task belonged to a node that has been deleted';
  const moment = { timestampMs: nowMs, appliedBy: task.status.appliedBy, appliedAtMs: nowMs };
  tx.update('task', { ...task, status: { state: 'orphaned', message, err: '', ports: [], ...moment } });
}

function remove(tx: Tx, id: string): void {
  const task = tx.get('task', id);
  if (task && (isToGo(task) || isHistory(task, tx.get('service', task.serviceId)))) tx.remove('task', id);
}
