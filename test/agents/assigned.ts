import {
  AssignmentChange_AssignmentAction as Action,
  AssignmentsMessage_Type as Type,
  type AssignmentsMessage,
} from '../../proto/generated/swarmkit/dispatcher_pb.js';
import type { Config, Secret, Task } from '../../proto/generated/swarmkit/objects_pb.js';

/** What an agent was given, by id. */
export interface AssignedSets {
  readonly tasks: Map<string, Task>;
  readonly secrets: Map<string, Secret>;
  readonly configs: Map<string, Config>;
}

/** Follows an assignments stream by its rules; a message that breaks them throws, as it ends an engine's session. */
export class Assigned implements AssignedSets {
  readonly tasks = new Map<string, Task>();
  readonly secrets = new Map<string, Secret>();
  readonly configs = new Map<string, Config>();
  #results: string | undefined;

  /** A new stream begins with everything. */
  restart(): void {
    this.#results = undefined;
  }

  /** The ids of the tasks that changed, and of those that are to be removed. */
  apply(message: AssignmentsMessage): { readonly changed: Set<string>; readonly removed: Set<string> } {
    const changed = new Set<string>();
    const removed = new Set<string>();
    if (message.type === Type.COMPLETE) {
      for (const id of this.tasks.keys()) removed.add(id);
      for (const set of [this.tasks, this.secrets, this.configs]) set.clear();
    } else if (this.#results === undefined || message.appliesTo !== this.#results)
      throw new Error(`assignments apply to ${message.appliesTo}, not to ${this.#results ?? 'nothing'}`);
    this.#results = message.resultsIn;
    for (const { assignment, action } of message.changes) {
      const item = assignment?.item;
      if (item?.case === undefined) throw new Error('an assignment of nothing');
      const { id } = item.value;
      const gone = action === Action.REMOVE;
      if (item.case === 'task') {
        (gone ? removed : changed).add(id);
        (gone ? changed : removed).delete(id);
        if (gone) this.tasks.delete(id);
        else this.tasks.set(id, item.value);
      } else if (item.case === 'secret') put(this.secrets, id, gone ? undefined : item.value);
      else put(this.configs, id, gone ? undefined : item.value);
    }
    return { changed, removed };
  }
}

function put<T>(map: Map<string, T>, id: string, value: T | undefined): void {
  if (value === undefined) map.delete(id);
  else map.set(id, value);
}
