import { type GenericResource, type Node, stateRank, type Task } from '../../model/index.ts';
import { type GenericDemand, GenericUse } from './generic-use.ts';
import { RecentFailures } from './recent-failures.ts';
import { failureKeyOf, hostPortsOf } from './task-request.ts';

const NONE: readonly GenericResource[] = [];
const NAME_LENGTH = 64;

/** Whether a task counts as one that its service has on its node: it is not to end. */
function isActive(task: Task): boolean {
  return stateRank(task.desiredState) <= stateRank('complete');
}

/** A node and what its tasks take of it, kept up to date by its owner: each change costs the same, however many there are. */
export class NodeInfo {
  readonly id: string;
  #node: Node;
  readonly #tasks = new Map<string, Task>();
  readonly #activeByService = new Map<string, number>();
  #activeTasks = 0;
  #usedNanoCpus = 0;
  #usedMemoryBytes = 0;
  // Most nodes have none of these.
  #generic: GenericUse | undefined;
  #hostPorts: Map<string, number> | undefined;
  #failures: RecentFailures | undefined;
  #plugins: Set<string> | undefined;

  constructor(node: Node) {
    this.id = node.id;
    this.#node = node;
  }

  get node(): Node {
    return this.#node;
  }

  setNode(node: Node): void {
    if (node.description !== this.#node.description) this.#plugins = undefined;
    this.#node = node;
  }

  /** For people: its hostname, or its id while that is not known. */
  get name(): string {
    return (this.#node.description?.hostname || this.id).slice(0, NAME_LENGTH);
  }

  /** Counts a task, or counts it anew; true when that freed something. A task counts from assigned until it has ended. */
  put(task: Task): boolean {
    const before = this.#tasks.get(task.id);
    this.#tasks.set(task.id, task);
    if (before) {
      if (countsSame(before, task)) return false;
      this.#count(before, -1);
    }
    this.#count(task, 1);
    return before !== undefined;
  }

  /** False when the task was not counted. */
  delete(taskId: string): boolean {
    const task = this.#tasks.get(taskId);
    if (!task) return false;
    this.#tasks.delete(taskId);
    this.#count(task, -1);
    return true;
  }

  #count(task: Task, sign: 1 | -1): void {
    if (isActive(task)) {
      this.#activeTasks += sign;
      const count = (this.#activeByService.get(task.serviceId) ?? 0) + sign;
      if (count > 0) this.#activeByService.set(task.serviceId, count);
      else this.#activeByService.delete(task.serviceId);
    }
    const { reservations } = task.spec;
    if (reservations) {
      this.#usedNanoCpus += sign * reservations.nanoCpus;
      this.#usedMemoryBytes += sign * reservations.memoryBytes;
    }
    if (task.assignedGenericResources.length > 0)
      (this.#generic ??= new GenericUse()).add(task.assignedGenericResources, sign);
    for (const port of hostPortsOf(task)) {
      const ports = (this.#hostPorts ??= new Map<string, number>());
      const users = (ports.get(port) ?? 0) + sign;
      if (users > 0) ports.set(port, users);
      else ports.delete(port);
    }
  }

  get activeTasks(): number {
    return this.#activeTasks;
  }

  activeTasksOf(serviceId: string): number {
    return this.#activeByService.get(serviceId) ?? 0;
  }

  get totalNanoCpus(): number {
    return this.#node.description?.resources.nanoCpus ?? 0;
  }

  get totalMemoryBytes(): number {
    return this.#node.description?.resources.memoryBytes ?? 0;
  }

  get freeNanoCpus(): number {
    return this.totalNanoCpus - this.#usedNanoCpus;
  }

  get freeMemoryBytes(): number {
    return this.totalMemoryBytes - this.#usedMemoryBytes;
  }

  freeGeneric(kind: string): number {
    return (this.#generic ??= new GenericUse()).free(this.#hasGeneric, kind);
  }

  /** What a task gets of the named resources; it is counted when the task is put. */
  claimGeneric(demands: readonly GenericDemand[]): readonly GenericResource[] {
    if (demands.length === 0) return NONE;
    return (this.#generic ??= new GenericUse()).claim(this.#hasGeneric, demands);
  }

  get #hasGeneric(): readonly GenericResource[] {
    return this.#node.description?.resources.generic ?? NONE;
  }

  /** `80/tcp` */
  hasHostPort(port: string): boolean {
    return this.#hostPorts?.has(port) ?? false;
  }

  /** Whether its engine has a plugin; without a name, whether it has any of the type. */
  hasPlugin(type: string, name = ''): boolean {
    this.#plugins ??= pluginKeys(this.#node);
    return this.#plugins.has(`${type}/${name}`);
  }

  addFailure(task: Task, nowMs: number): void {
    (this.#failures ??= new RecentFailures()).add(failureKeyOf(task), nowMs);
  }

  failures(failureKey: string, nowMs: number): number {
    return this.#failures?.count(failureKey, nowMs) ?? 0;
  }
}

function countsSame(a: Task, b: Task): boolean {
  return (
    a.spec === b.spec &&
    a.endpoint === b.endpoint &&
    a.assignedGenericResources === b.assignedGenericResources &&
    isActive(a) === isActive(b)
  );
}

/** A plugin that an engine calls `x:latest` is also `x`, as in SwarmKit. */
function pluginKeys({ description }: Node): Set<string> {
  const keys = new Set<string>();
  for (const { type, name } of description?.plugins ?? []) {
    keys.add(`${type}/`);
    keys.add(`${type}/${name}`);
    if (name.endsWith(':latest')) keys.add(`${type}/${name.slice(0, -':latest'.length)}`);
  }
  return keys;
}
