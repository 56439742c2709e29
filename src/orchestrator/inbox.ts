import { hasEnded, stateRank, type Service, type Task } from '../model/index.ts';
import type { LoopContext, StoreEvent } from '../store/index.ts';
import type { Holds } from './restart/holds.ts';
import type { RestartHistory } from './restart/history.ts';
import type { UpdateProgress } from './update/progress.ts';
import { isLasting, isUnfit, isWanted } from './wanted.ts';

/** What is to be looked at next. */
export interface Work {
  readonly services: ReadonlySet<string>;
  /** Services that are gone and leave tasks. */
  readonly removed: ReadonlySet<string>;
  readonly nodes: ReadonlySet<string>;
  /** Tasks that ended by themselves, or whose node is lost. */
  readonly lost: ReadonlySet<string>;
}

/** Gathers what changes until the loop has time for it. Every event costs the same, whatever there is. */
export class Inbox {
  readonly globals = new Set<string>();
  /** Updates under way, by service. */
  readonly updates = new Map<string, UpdateProgress>();
  /** Services that have places with an old task besides a new one. */
  readonly doubled = new Set<string>();
  readonly #context: LoopContext;
  readonly #holds: Holds;
  readonly #history: RestartHistory;
  #services = new Set<string>();
  #removed = new Set<string>();
  #nodes = new Set<string>();
  #lost = new Set<string>();

  constructor(context: LoopContext, holds: Holds, history: RestartHistory) {
    this.#context = context;
    this.#holds = holds;
    this.#history = history;
  }

  take(): Work {
    const work = {
      services: this.#services,
      removed: this.#removed,
      nodes: this.#nodes,
      lost: this.#lost,
    };
    this.#services = new Set();
    this.#removed = new Set();
    this.#nodes = new Set();
    this.#lost = new Set();
    return work;
  }

  lookAtService(id: string): void {
    this.#services.add(id);
  }

  /** Has everything looked at: at the start, and after something could not be written. */
  lookAtEverything(): void {
    this.updates.clear();
    const { view } = this.#context.store;
    for (const service of view.all('service')) this.#seeService(service);
    for (const task of view.all('task')) {
      if (!isOurs(task)) continue;
      if (view.get('service', task.serviceId)) this.#seeTask(task);
      else this.#removed.add(task.serviceId);
    }
  }

  see(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (event.kind === 'service') this.#serviceChanged(event);
      else if (event.kind === 'node' && matters(event)) this.#nodes.add(event.object.id);
      else if (event.kind === 'task' && isOurs(event.object)) this.#taskChanged(event);
    }
  }

  #serviceChanged({ type, object, previous }: StoreEvent<'service'>): void {
    if (!isLasting(object)) return;
    if (type === 'remove') {
      this.#services.delete(object.id);
      this.globals.delete(object.id);
      this.updates.delete(object.id);
      this.doubled.delete(object.id);
      this.#history.forget(object.id);
      this.#removed.add(object.id);
    } else if (previous?.specVersion !== object.specVersion || previous.spec !== object.spec) {
      this.#seeService(object);
    }
  }

  #seeService(service: Service): void {
    if (!isLasting(service)) return;
    this.#services.add(service.id);
    if (service.spec.mode.kind === 'global') this.globals.add(service.id);
  }

  #taskChanged({ type, object: task, previous }: StoreEvent<'task'>): void {
    if (type === 'remove') {
      this.#holds.drop(task.id);
      this.#holds.ended(task.id);
      if (isWanted(task)) this.#services.add(task.serviceId);
      return;
    }
    if (type === 'create') this.#history.note(task);
    this.#seeTask(task);
    const moved = previous?.status.state !== task.status.state;
    const update = this.updates.get(task.serviceId);
    if ((moved || !isWanted(task)) && update?.see(task, this.#context.times.nowMs()))
      this.#services.add(task.serviceId);
    const settles = moved && stateRank(task.status.state) >= stateRank('running');
    if (settles && this.doubled.has(task.serviceId)) this.#services.add(task.serviceId);
  }

  #seeTask(task: Task): void {
    this.#holds.see(task);
    if (!isWanted(task)) return;
    const { view } = this.#context.store;
    const nodeLost = task.nodeId !== '' && isUnfit(view.get('node', task.nodeId));
    if (nodeLost || hasEnded(task.status.state)) this.#lost.add(task.id);
  }
}

/** Tasks of jobs, and places on networks that no service asked for, are others' business. */
function isOurs(task: Task): boolean {
  return task.serviceId !== '' && task.jobIteration === undefined;
}

/** Whether a node changed in what decides who may have a task there; its addresses on networks change all the time. */
function matters({ object, previous }: StoreEvent<'node'>): boolean {
  return (
    !previous ||
    object.spec !== previous.spec ||
    object.role !== previous.role ||
    object.description !== previous.description ||
    object.status.state !== previous.status.state ||
    object.status.addr !== previous.status.addr
  );
}
