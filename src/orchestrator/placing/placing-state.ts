import { hasEnded, type Node, stateRank, type Task } from '../../model/index.ts';
import { type NodeInfo, NodeSet } from '../../scheduler/index.ts';
import type { StoreEvent, View } from '../../store/index.ts';
import { Waiting } from './waiting.ts';

/** By the monotonic clock, and milliseconds since 1970. */
export interface Now {
  readonly nowMs: number;
  readonly wallMs: number;
}

/** As SwarmKit looks back. */
const FAILURE_WINDOW_MS = 5 * 60_000;

/** What the placing loop knows of the store: each event costs the same, whatever the size of the swarm. */
export class PlacingState {
  readonly nodes = new NodeSet();
  readonly waiting = new Waiting();
  /** Tasks whose placement is being written: booked on their nodes, and not to be placed again. */
  readonly underWay = new Set<string>();
  /** Nodes on which something was freed since it was last asked. */
  #freed = new Set<string>();
  #nodesChanged = true;
  readonly #view: View;

  constructor(view: View) {
    this.#view = view;
  }

  load({ nowMs, wallMs }: Now): void {
    for (const node of this.#view.all('node')) this.nodes.add(node);
    for (const task of this.#view.all('task')) {
      this.seeTask(task);
      const agoMs = wallMs - task.status.appliedAtMs;
      if (failedWhereItWasPut(task) && agoMs < FAILURE_WINDOW_MS)
        this.nodes.get(task.nodeId)?.addFailure(task, nowMs - Math.max(0, agoMs));
    }
  }

  /** Whether something waits that may have a new answer. */
  get isDue(): boolean {
    return !this.waiting.isEmpty && (this.waiting.hasNew || this.#nodesChanged || this.#freed.size > 0);
  }

  see(event: StoreEvent, nowMs: number): void {
    if (event.kind === 'task') this.#seeTaskEvent(event, nowMs);
    else if (event.kind === 'node') this.#seeNodeEvent(event);
  }

  #seeTaskEvent(event: StoreEvent<'task'>, nowMs: number): void {
    const { object: task } = event;
    if (event.type === 'remove') return this.#forget(task);
    const wasLive = event.previous && !hasEnded(event.previous.status.state);
    if (wasLive && failedWhereItWasPut(task)) this.nodes.get(task.nodeId)?.addFailure(task, nowMs);
    this.seeTask(task);
  }

  /** Takes a task as it is now. */
  seeTask(task: Task): void {
    const { state } = task.status;
    if (state === 'new') return;
    if (hasEnded(state)) {
      this.#forget(task);
    } else if (state !== 'pending') {
      this.waiting.delete(task.id);
      if (this.nodes.get(task.nodeId)?.put(task)) this.#nodeFreed(task.nodeId);
    } else if (!this.underWay.has(task.id)) {
      if (isWantedToRun(task)) this.waiting.add(task);
      else this.waiting.delete(task.id);
    }
  }

  /** Takes back what was booked for a task on a node. */
  unbook(taskId: string, nodeId: string): void {
    if (this.nodes.get(nodeId)?.delete(taskId)) this.#nodeFreed(nodeId);
  }

  #forget(task: Task): void {
    this.waiting.delete(task.id);
    this.unbook(task.id, task.nodeId);
  }

  #nodeFreed(nodeId: string): void {
    this.#freed.add(nodeId);
    this.waiting.nodeChanged(nodeId);
  }

  #seeNodeEvent(event: StoreEvent<'node'>): void {
    const { object: node } = event;
    if (event.type === 'remove') this.nodes.delete(node.id);
    else if (event.type === 'create') this.#addNode(node);
    else {
      this.nodes.get(node.id)?.setNode(node);
      if (isSameForPlacing(event.previous, node)) return;
    }
    this.#nodesChanged = true;
    this.waiting.nodeChanged(node.id);
  }

  #addNode(node: Node): void {
    this.nodes.add(node);
    for (const task of this.#view.tasksOfNode(node.id)) this.seeTask(task);
  }

  /** What happened to the nodes since it was asked last. */
  takeChanges(): { readonly nodesChanged: boolean; readonly freed: readonly NodeInfo[] } {
    const freed = [...this.#freed].flatMap((id) => this.nodes.get(id) ?? []);
    const changes = { nodesChanged: this.#nodesChanged, freed };
    this.#freed = new Set();
    this.#nodesChanged = false;
    return changes;
  }
}

export function isWantedToRun(task: Task): boolean {
  return stateRank(task.desiredState) <= stateRank('complete');
}

/** Whether two versions of a node take the same tasks. */
export function isSameForPlacing(a: Node, b: Node): boolean {
  return (
    a === b ||
    (a.spec === b.spec &&
      a.description === b.description &&
      a.role === b.role &&
      a.status.state === b.status.state &&
      a.status.addr === b.status.addr)
  );
}

/** Of a global service's task, which has no slot, nobody chose the node. */
function failedWhereItWasPut({ status, slot, nodeId }: Task): boolean {
  return nodeId !== '' && slot !== 0 && (status.state === 'failed' || status.state === 'rejected');
}
