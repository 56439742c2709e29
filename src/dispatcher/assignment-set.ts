import { isDeepStrictEqual } from 'node:util';
import { create } from '@bufbuild/protobuf';
import {
  AssignmentChange_AssignmentAction as Action,
  AssignmentChangeSchema,
  AssignmentsMessage_Type as Type,
  AssignmentsMessageSchema,
  type Assignment,
  type AssignmentChange,
  type AssignmentsMessage,
} from '../../proto/generated/swarmkit/dispatcher_pb.js';
import { ConfigSchema, SecretSchema, TaskSchema } from '../../proto/generated/swarmkit/objects_pb.js';
import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { hasEnded, stateRank, type Task } from '../model/index.ts';
import type { View } from '../store/index.ts';
import { configToWire, secretToWire, taskToWire } from '../swarmkit/index.ts';

/** The desired state of a task that runs and is not to stop. */
const GOES_ON = 'running';
/** Tasks that one message tells of at most. */
const TASKS_MAX = 500;

/** Who says when a task is told. */
export interface TellingRules {
  /** Whether the agent knows its addresses on all networks of a task (`attachmentsCover`). */
  readonly covers: (task: Task) => boolean;
  /** Whether the agent may be told to stop a task that is to stop. */
  readonly mayStop: (task: Task) => boolean;
}

type DataKind = 'secret' | 'config';
type Item = Assignment['item'];

/** All of a task that its agent acts on. A status is the agent's own word, and is not told back. */
const TOLD_KEYS = [
  'desiredState',
  'spec',
  'networks',
  'endpoint',
  'logDriver',
  'annotations',
  'serviceAnnotations',
  'specVersion',
  'serviceId',
  'engineServiceId',
  'slot',
  'assignedGenericResources',
  'jobIteration',
] as const satisfies readonly (keyof Task)[];

/**
 * What one agent has been told to run, and what is left to tell it. It keeps which tasks have changed, not how: an agent
 * that reads slowly gets the latest state of each, and costs no more memory than its tasks.
 *
 * The rules are SwarmKit's: a task from `assigned` on; again when anything but its status changed; removed when its row
 * is. A task that needs a network waits until its agent knows its node's address there. One that is to stop is told to go on
 * until balancers send it no new connections. Secrets and configs only as long as a task that has not ended uses them.
 */
export class AssignmentSet {
  /** Rings when there is something to tell. */
  readonly changed = new Bell();
  readonly #nodeId: string;
  readonly #view: View;
  readonly #log: Logger;
  readonly #rules: TellingRules;
  /** Tasks as the agent knows them. */
  readonly #told = new Map<string, Task>();
  readonly #changedTasks = new Set<string>();
  /** Tasks that wait for their node to be told of its address on a network. */
  readonly #early = new Set<string>();
  /** By `kind/id`: the tasks that use it. */
  readonly #users = new Map<string, Set<string>>();
  /** By `kind/id`: what the agent holds. */
  readonly #held = new Set<string>();
  #sequence = 0;

  constructor(nodeId: string, view: View, log: Logger, rules: TellingRules) {
    this.#nodeId = nodeId;
    this.#view = view;
    this.#log = log;
    this.#rules = rules;
  }

  /** The agent was told of its node: tasks that waited for that are looked at again. */
  nodeTold(): void {
    if (this.#early.size === 0) return;
    for (const id of this.#early) this.#changedTasks.add(id);
    this.#early.clear();
    this.changed.ring();
  }

  /** A task that was held back may be told to stop. */
  mayStop(taskId: string): void {
    if (!this.#told.has(taskId)) return;
    this.#changedTasks.add(taskId);
    this.changed.ring();
  }

  /** A task of the node was written, or removed. Cheap where the agent need not know. */
  touch(task: Task, removed: boolean): void {
    const told = this.#told.get(task.id);
    if (!removed && told && !this.#changedTasks.has(task.id)) {
      const same = TOLD_KEYS.every((key) => told[key] === task[key]);
      if (same && isAgents(task) && (!hasEnded(task.status.state) || dataOf(task).length === 0)) {
        this.#told.set(task.id, task);
        return;
      }
    }
    this.#changedTasks.add(task.id);
    this.changed.ring();
  }

  /** Everything: an agent removes what this message does not name. */
  complete(): AssignmentsMessage {
    this.#changedTasks.clear();
    this.#early.clear();
    const touched = new Set<string>();
    const tasks: AssignmentChange[] = [];
    for (const task of this.#view.tasksOfNode(this.#nodeId)) this.#tell(task, tasks, touched);
    const { added } = this.#settle(touched);
    return this.#message(Type.COMPLETE, [...added, ...tasks]);
  }

  /** The next message, or undefined when the agent knows everything. */
  next(): AssignmentsMessage | undefined {
    while (this.#changedTasks.size > 0) {
      const touched = new Set<string>();
      const tasks: AssignmentChange[] = [];
      let taken = 0;
      for (const id of this.#changedTasks) {
        this.#changedTasks.delete(id);
        const task = this.#view.get('task', id);
        if (task?.nodeId === this.#nodeId) this.#tell(task, tasks, touched);
        else this.#forget(id, tasks, touched);
        if (++taken === TASKS_MAX) break;
      }
      const { added, dropped } = this.#settle(touched);
      const changes = [...added, ...tasks, ...dropped];
      if (changes.length > 0) return this.#message(Type.INCREMENTAL, changes);
    }
    return undefined;
  }

  #tell(row: Task, changes: AssignmentChange[], touched: Set<string>): void {
    if (stateRank(row.status.state) < stateRank('assigned')) return;
    const task: Task = isToStop(row) && !this.#rules.mayStop(row) ? { ...row, desiredState: GOES_ON } : row;
    const told = this.#told.get(task.id);
    if (!told && toStart(task) && !this.#rules.covers(task)) {
      this.#early.add(task.id);
      return;
    }
    // What is written up to `assigned` is not the agent's word, so it has to be told.
    const known = told && sameForAgent(told, task) && (isAgents(task) || told.status === task.status);
    if (!known) {
      try {
        const value = taskToWire(task, (id) => this.#view.get('network', id));
        changes.push(change(Action.UPDATE, { case: 'task', value }));
      } catch (error) {
        // In the stream it would end it, and the agent would come back for it without end.
        this.#log.error({ task: task.id, error: messageOf(error) }, 'a task can not be sent to its node');
        return;
      }
    }
    if (hasEnded(task.status.state)) this.#release(task, touched);
    else if (!told) this.#use(task, touched);
    this.#told.set(task.id, task);
  }

  #forget(id: string, changes: AssignmentChange[], touched: Set<string>): void {
    this.#early.delete(id);
    const told = this.#told.get(id);
    if (!told) return;
    this.#told.delete(id);
    this.#release(told, touched);
    changes.push(change(Action.REMOVE, { case: 'task', value: create(TaskSchema, { id }) }));
  }

  #use(task: Task, touched: Set<string>): void {
    for (const key of dataOf(task)) {
      const users = this.#users.get(key);
      if (users) users.add(task.id);
      else this.#users.set(key, new Set([task.id]));
      touched.add(key);
    }
  }

  #release(task: Task, touched: Set<string>): void {
    for (const key of dataOf(task)) {
      const users = this.#users.get(key);
      if (!users?.delete(task.id)) continue;
      if (users.size === 0) this.#users.delete(key);
      touched.add(key);
    }
  }

  /** What the agent gets and loses, now that all tasks of a message are counted. */
  #settle(touched: Set<string>): { added: AssignmentChange[]; dropped: AssignmentChange[] } {
    const added: AssignmentChange[] = [];
    const dropped: AssignmentChange[] = [];
    for (const key of touched) {
      const [kind, id] = key.split('/') as [DataKind, string];
      const wanted = this.#users.has(key);
      if (wanted && !this.#held.has(key)) {
        const value = this.#data(kind, id);
        if (!value) continue;
        this.#held.add(key);
        added.push(change(Action.UPDATE, value));
      } else if (!wanted && this.#held.delete(key)) {
        const value: Item =
          kind === 'secret'
            ? { case: kind, value: create(SecretSchema, { id }) }
            : { case: kind, value: create(ConfigSchema, { id }) };
        dropped.push(change(Action.REMOVE, value));
      }
    }
    return { added, dropped };
  }

  /** Undefined for what is gone, or what only a driver could give: the agent says so when the task wants it. */
  #data(kind: DataKind, id: string): Item | undefined {
    if (kind === 'config') {
      const config = this.#view.get('config', id);
      return config && { case: 'config', value: configToWire(config) };
    }
    const secret = this.#view.get('secret', id);
    return secret && !secret.spec.driver ? { case: 'secret', value: secretToWire(secret) } : undefined;
  }

  #message(type: Type, changes: AssignmentChange[]): AssignmentsMessage {
    const appliesTo = this.#sequence === 0 ? '' : String(this.#sequence);
    return create(AssignmentsMessageSchema, {
      type,
      appliesTo,
      resultsIn: String(++this.#sequence),
      changes,
    });
  }
}

function change(action: Action, item: Item): AssignmentChange {
  return create(AssignmentChangeSchema, { action, assignment: { item } });
}

/** Whether the task's status is what its agent said. */
function isAgents(task: Task): boolean {
  return stateRank(task.status.state) > stateRank('assigned');
}

function isToStop({ desiredState }: Task): boolean {
  return stateRank(desiredState) > stateRank(GOES_ON);
}

/** Whether the agent would begin with the task now: one that it has already, or is only to end, needs no network. */
function toStart(task: Task): boolean {
  return !isAgents(task) && stateRank(task.desiredState) < stateRank('shutdown');
}

function sameForAgent(a: Task, b: Task): boolean {
  return TOLD_KEYS.every((key) => a[key] === b[key] || isDeepStrictEqual(a[key], b[key]));
}

/** The secrets and configs of a task, as `kind/id`. */
function dataOf({ spec: { container } }: Task): string[] {
  return [
    ...(container?.secrets ?? []).map(({ id }) => `secret/${id}`),
    ...(container?.configs ?? []).map(({ id }) => `config/${id}`),
  ];
}
