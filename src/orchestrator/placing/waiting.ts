import type { Task } from '../../model/index.ts';
import { failureKeyOf, type TaskGroup } from '../../scheduler/index.ts';

/** Tasks of one service and version that wait for any node. */
export interface WaitingGroup {
  /** Those that wait longest first. */
  readonly tasks: Map<string, Task>;
  /** Those of them that nobody has looked at yet. */
  readonly fresh: Set<string>;
  /** What they ask for, once it was looked at. */
  request?: TaskGroup;
  /** Whether they were looked at and no node took another. */
  stuck: boolean;
  /** Why they got no node, as found last. */
  explanation: string;
  /** What they were told, and when. */
  said: string;
  saidMs: number;
}

/** Tasks that wait for a node: for any, or, of global services and attachments, for one. */
export class Waiting {
  readonly groups = new Map<string, WaitingGroup>();
  /** All, as they were seen last. */
  readonly #tasks = new Map<string, Task>();
  readonly #byNode = new Map<string, Set<string>>();
  /** Those that wait for one node and are to be looked at. */
  #due = new Set<string>();
  #fresh = false;

  get isEmpty(): boolean {
    return this.#tasks.size === 0;
  }

  /** Whether there is one that was not looked at yet, or is to be looked at again. */
  get hasNew(): boolean {
    return this.#fresh || this.#due.size > 0;
  }

  add(task: Task): void {
    const before = this.#tasks.get(task.id);
    if (before && (before.nodeId !== task.nodeId || keyOf(before) !== keyOf(task))) this.delete(task.id);
    const isNew = !this.#tasks.has(task.id);
    this.#tasks.set(task.id, task);
    if (task.nodeId === '') this.#addToGroup(task, isNew);
    else if (isNew) this.#addToNode(task);
  }

  delete(taskId: string): void {
    const task = this.#tasks.get(taskId);
    if (!task) return;
    this.#tasks.delete(taskId);
    if (task.nodeId === '') return this.#deleteFromGroup(task);
    this.#due.delete(taskId);
    const those = this.#byNode.get(task.nodeId);
    those?.delete(taskId);
    if (those?.size === 0) this.#byNode.delete(task.nodeId);
  }

  #addToGroup(task: Task, isNew: boolean): void {
    const key = keyOf(task);
    let group = this.groups.get(key);
    if (!group) {
      group = { tasks: new Map(), fresh: new Set(), stuck: false, explanation: '', said: '', saidMs: 0 };
      this.groups.set(key, group);
    }
    group.tasks.set(task.id, task);
    if (!isNew) return;
    group.fresh.add(task.id);
    this.#fresh = true;
  }

  #deleteFromGroup(task: Task): void {
    const key = keyOf(task);
    const group = this.groups.get(key);
    group?.tasks.delete(task.id);
    group?.fresh.delete(task.id);
    if (group?.tasks.size === 0) this.groups.delete(key);
  }

  #addToNode({ id, nodeId }: Task): void {
    const those = this.#byNode.get(nodeId);
    if (those) those.add(id);
    else this.#byNode.set(nodeId, new Set([id]));
    this.#due.add(id);
  }

  /** Something changed on a node: those that wait for it are to be looked at again. */
  nodeChanged(nodeId: string): void {
    for (const id of this.#byNode.get(nodeId) ?? []) this.#due.add(id);
  }

  /** All are to be looked at again, and told again. */
  lookAgain(): void {
    for (const nodeId of this.#byNode.keys()) this.nodeChanged(nodeId);
    for (const group of this.groups.values()) {
      group.stuck = false;
      group.said = '';
    }
    this.#fresh = true;
  }

  /** Those that wait for one node and are to be looked at; whoever takes them looks at the groups too. */
  takeDue(): Task[] {
    const due = [...this.#due].flatMap((id) => this.#tasks.get(id) ?? []);
    this.#due = new Set();
    this.#fresh = false;
    return due;
  }
}

/** Tasks that are of no service have nothing in common. */
function keyOf(task: Task): string {
  return task.serviceId === '' ? task.id : failureKeyOf(task);
}
