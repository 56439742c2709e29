import type { Node, Service, Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { satisfies } from '../placement-match.ts';
import type { RestartHistory } from '../restart/history.ts';
import { byPlace, fillingTasks } from '../slots.ts';
import type { Place } from '../update/replace.ts';
import { isUnfit, isWanted } from '../wanted.ts';

export interface GlobalPlan {
  /** The nodes that have their task, and may get another one in its place. */
  readonly kept: Place[];
  /** Nodes that get a task, after the newest one they had. */
  readonly create: { readonly nodeId: string; readonly former?: Task }[];
  /** Tasks whose node is not for them any more. */
  readonly shutdown: Task[];
  /** Tasks, former ones too, of nodes that are not there any more. */
  readonly remove: Task[];
}

/** Whether a service has a task on a node that may get new ones: a paused one keeps what it has. */
export function takesGlobal(service: Service, node: Node): boolean {
  return (
    !isUnfit(node) &&
    node.spec.availability === 'active' &&
    // Before its agent's first session nobody knows what it is.
    node.description !== undefined &&
    satisfies(node, service.spec.task.placement)
  );
}

/**
 * One task of a service on each of these nodes that is for it. `tasks` are all that the service has there, or anywhere; the
 * nodes of further ones are looked at too.
 */
export function planGlobal(
  service: Service,
  nodes: Iterable<Node>,
  tasks: Iterable<Task>,
  view: View,
  history: RestartHistory,
): GlobalPlan {
  const plan: GlobalPlan = { kept: [], create: [], shutdown: [], remove: [] };
  const places = byPlace(tasks);
  for (const node of nodes) {
    if (!places.has(node.id) && takesGlobal(service, node)) plan.create.push({ nodeId: node.id });
  }
  for (const [key, there] of places) {
    const node = view.get('node', String(key));
    if (!node) plan.remove.push(...there);
    else if (!mayStay(service, node)) plan.shutdown.push(...there.filter(isWanted));
    else if (takesGlobal(service, node)) {
      const filling = fillingTasks(there, service, view, history);
      if (filling.length > 0) plan.kept.push({ key, tasks: filling });
      else plan.create.push({ nodeId: node.id, former: newest(there) });
    }
  }
  return plan;
}

function mayStay(service: Service, node: Node): boolean {
  if (isUnfit(node)) return false;
  return node.description === undefined || satisfies(node, service.spec.task.placement);
}

function newest(tasks: readonly Task[]): Task | undefined {
  return [...tasks].sort((a, b) => b.meta.createdAtMs - a.meta.createdAtMs)[0];
}
