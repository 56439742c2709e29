import type { Node, Task } from '../../model/index.ts';
import { failureKeyOf, type NodeInfo, requestOf, TaskGroup } from '../../scheduler/index.ts';
import type { View } from '../../store/index.ts';
import type { Now, PlacingState } from './placing-state.ts';
import type { WaitingGroup } from './waiting.ts';

/** A task that got a node, and is booked there. */
export interface Assignment {
  readonly kind: 'assign';
  readonly task: Task;
  /** The node as it was judged. */
  readonly node: Node;
  readonly placed: Task;
}

/** A task that is told why it got none. */
export interface Explanation {
  readonly kind: 'explain';
  readonly task: Task;
  readonly err: string;
}

export type Decision = Assignment | Explanation;

export interface RoundOptions {
  readonly now: Now;
  readonly random: () => number;
  readonly onFault: (task: Task, error: unknown) => void;
}

/** An explanation that changes while its tasks wait is not written more often: nodes may come one after the other. */
export const EXPLAIN_AGAIN_MS = 1000;

/** Decides about everything that waits and may have a new answer; books what it decides. */
export function planRound(state: PlacingState, view: View, options: RoundOptions): Decision[] {
  const decisions: Decision[] = [];
  const groupOf = groupReader(view);
  for (const task of state.waiting.takeDue())
    guarded(task, options, () => decisions.push(...planPreassigned(state, groupOf(task), task, options)));
  const { nodesChanged, freed } = state.takeChanges();
  for (const group of state.waiting.groups.values()) {
    const [first] = group.tasks.values();
    if (!first) continue;
    guarded(first, options, () => {
      const request = (group.request ??= groupOf(first));
      // Where none fitted, only a node that changed can fit.
      if (!group.stuck || nodesChanged || freed.some((node) => request.fits(node)))
        placeGroup(state, request, group, options, (decision) => decisions.push(decision));
      for (const explanation of explainGroup(group, options)) decisions.push(explanation);
    });
  }
  return decisions;
}

/** One object's error is not the others'. */
function guarded(task: Task, { onFault }: RoundOptions, act: () => void): void {
  try {
    act();
  } catch (error) {
    onFault(task, error);
  }
}

/** What tasks ask for; those of one service and version the same. */
function groupReader(view: View): (task: Task) => TaskGroup {
  const known = new Map<string, TaskGroup>();
  const driverOf = (networkId: string): string | undefined => {
    const network = view.get('network', networkId);
    return network?.allocated?.driver.name ?? network?.spec.driver?.name;
  };
  return (task) => {
    const key = failureKeyOf(task);
    const group = known.get(key) ?? new TaskGroup(requestOf(task, driverOf));
    if (task.serviceId !== '') known.set(key, group);
    return group;
  };
}

function planPreassigned(
  state: PlacingState,
  group: TaskGroup,
  task: Task,
  { now }: RoundOptions,
): Decision[] {
  const node = state.nodes.get(task.nodeId);
  // Its node is gone, or was never there: whoever made the task takes it back.
  if (!node) return [];
  if (group.fits(node)) {
    return [book(state, group, task, node, now, 'scheduler confirmed task can run on preassigned node')];
  }
  return explained(task, group.explainNode(node));
}

function placeGroup(
  state: PlacingState,
  request: TaskGroup,
  group: WaitingGroup,
  { now, random }: RoundOptions,
  decide: (decision: Decision) => void,
): void {
  const tasks = group.tasks.values();
  request.place(state.nodes.list(), group.tasks.size, { nowMs: now.nowMs, random }, (node) => {
    const { value: task } = tasks.next();
    if (task) decide(book(state, request, task, node, now, 'scheduler assigned task to node'));
  });
  group.stuck = group.tasks.size > 0;
  if (group.stuck) group.explanation = request.explain(state.nodes.list());
}

function book(
  state: PlacingState,
  group: TaskGroup,
  task: Task,
  node: NodeInfo,
  { wallMs }: Now,
  message: string,
): Assignment {
  const placed: Task = {
    ...task,
    nodeId: node.id,
    status: { ...task.status, state: 'assigned', timestampMs: wallMs, message, err: '' },
    assignedGenericResources: node.claimGeneric(group.request.generic),
  };
  node.put(placed);
  state.underWay.add(task.id);
  state.waiting.delete(task.id);
  return { kind: 'assign', task, node: node.node, placed };
}

/** Those that are new are told at once, the others when it is time. */
function explainGroup(group: WaitingGroup, { now }: RoundOptions): Explanation[] {
  const { explanation, tasks } = group;
  const fresh = [...group.fresh].flatMap((id) => tasks.get(id) ?? []);
  group.fresh.clear();
  if (explanation === group.said) return fresh.flatMap((task) => explained(task, explanation));
  const isTime = group.said === '' || now.nowMs - group.saidMs >= EXPLAIN_AGAIN_MS;
  if (!isTime) return fresh.flatMap((task) => explained(task, explanation));
  group.said = explanation;
  group.saidMs = now.nowMs;
  return [...tasks.values()].flatMap((task) => explained(task, explanation));
}

function explained(task: Task, err: string): Explanation[] {
  return task.status.err === err ? [] : [{ kind: 'explain', task, err }];
}
