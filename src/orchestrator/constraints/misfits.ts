import {
  hasEnded,
  stateRank,
  type GenericResource,
  type Node,
  type Service,
  type Task,
} from '../../model/index.ts';
import { GenericUse, hasPlatform } from '../../scheduler/index.ts';
import { meetsConstraints } from '../placement-match.ts';
import { byAge } from '../restart/history.ts';

/**
 * The tasks that a node has and should not have any more: it does not satisfy what their service asks for now, has not their
 * platform, or has less than they reserve. Where it has too little for all, the oldest stay. A node that is paused keeps what
 * it has, and one that is to be emptied is the orchestrator's, as in SwarmKit; of a node that has said nothing of itself nothing is known.
 */
export function misfits(
  node: Node,
  tasks: Iterable<Task>,
  serviceOf: (id: string) => Service | undefined,
): Task[] {
  const { description } = node;
  if (node.spec.availability !== 'active' || !description) return [];
  const room = new Room(description.resources);
  return [...tasks]
    .filter(isHeld)
    .sort(byAge)
    .filter((task) => !suits(node, task, serviceOf(task.serviceId)) || !room.take(task));
}

/** Whether a task is on its node, and to stay there. */
export function isHeld({ status, desiredState }: Task): boolean {
  return (
    stateRank(status.state) >= stateRank('assigned') &&
    !hasEnded(status.state) &&
    stateRank(desiredState) <= stateRank('complete')
  );
}

/**
 * The constraints are those that the service has now: a change that the node satisfied has not replaced the task. The platforms
 * are the task's own, for they follow from its image. Which nodes a global service is for, the orchestrator sees to.
 */
function suits(node: Node, { spec }: Task, service: Service | undefined): boolean {
  if (service?.spec.mode.kind === 'global') return true;
  const now = service ? service.spec.task.placement : spec.placement;
  return meetsConstraints(node, now) && hasPlatform(node, spec.placement?.platforms ?? []);
}

/** What a node has and no task took yet. */
class Room {
  #nanoCpus: number;
  #memoryBytes: number;
  readonly #generic: readonly GenericResource[];
  readonly #use = new GenericUse();

  constructor({ nanoCpus, memoryBytes, generic }: NonNullable<Node['description']>['resources']) {
    this.#nanoCpus = nanoCpus;
    this.#memoryBytes = memoryBytes;
    this.#generic = generic;
  }

  /** False when the task does not fit; then it takes nothing. */
  take({ spec: { reservations }, assignedGenericResources: assigned }: Task): boolean {
    const { nanoCpus = 0, memoryBytes = 0 } = reservations ?? {};
    if (memoryBytes > this.#memoryBytes || nanoCpus > this.#nanoCpus) return false;
    if (!assigned.every((resource) => this.#has(resource))) return false;
    this.#memoryBytes -= memoryBytes;
    this.#nanoCpus -= nanoCpus;
    this.#use.add(assigned, 1);
    return true;
  }

  #has({ kind, value }: GenericResource): boolean {
    if (typeof value === 'string')
      return this.#generic.some((had) => had.kind === kind && had.value === value);
    const had = this.#generic.find((resource) => resource.kind === kind);
    return typeof had?.value === 'number' && value <= this.#use.free(this.#generic, kind);
  }
}
