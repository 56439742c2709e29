import { hasEnded, type Node, type Service, type Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { satisfies } from '../placement-match.ts';
import type { RestartHistory } from '../restart/history.ts';
import { byPlace } from '../slots.ts';
import type { TaskPlace } from '../task.ts';
import { isUnfit, type PlaceKey } from '../wanted.ts';
import { isOfThisRun, isOpen, newest, placeState } from './places.ts';

/** How many tasks one look makes, so that a large job leaves room for other things. */
const MOST_AT_ONCE = 1000;

export interface JobPlan {
  /** Places that get a task; `former` is the last that was there. */
  readonly create: { readonly place: TaskPlace; readonly former?: Task }[];
  /** Tasks that ended without completing, or lost their node. */
  readonly broken: Task[];
  /** Tasks whose node is lost and who may come back there only. */
  readonly shutdown: Task[];
  /** Tasks of former runs that have not ended. */
  readonly remove: Task[];
  /** There is more to make. */
  more: boolean;
  /** How many tasks the job has. */
  readonly looked: number;
}

/** What a job needs now. Tasks of former runs that ended are its history. */
export function planJob(service: Service, view: View, history: RestartHistory): JobPlan {
  const tasks = [...view.tasksOfService(service.id)];
  const former = tasks.filter((task) => !isOfThisRun(task, service));
  const plan: JobPlan = {
    create: [],
    broken: [],
    shutdown: [],
    remove: former.filter(({ status, desiredState }) => !hasEnded(status.state) && desiredState !== 'remove'),
    more: false,
    looked: tasks.length,
  };
  const places = byPlace(tasks.filter((task) => isOfThisRun(task, service)));
  const { mode } = service.spec;
  if (mode.kind === 'replicated-job') planReplicated(plan, mode, places, view, history);
  else if (mode.kind === 'global-job') planGlobal(plan, service, places, view, history);
  return plan;
}

/** Slots from 1 to the completions asked for: each completes once, so many at a time. */
function planReplicated(
  plan: JobPlan,
  mode: { readonly maxConcurrent: number; readonly totalCompletions: number },
  places: ReadonlyMap<PlaceKey, readonly Task[]>,
  view: View,
  history: RestartHistory,
): void {
  let running = 0;
  const taken = new Set<PlaceKey>();
  for (const [key, tasks] of places) {
    const state = placeState(tasks, view, history);
    if (state.kind !== 'free') taken.add(key);
    if (state.kind === 'open' || state.kind === 'broken') running++;
    if (state.kind === 'broken') plan.broken.push(state.task);
  }
  const room = mode.maxConcurrent - running;
  const missing = mode.totalCompletions - taken.size;
  const wanted = Math.min(room, missing);
  for (let slot = 1; plan.create.length < Math.min(wanted, MOST_AT_ONCE); slot++) {
    if (taken.has(slot)) continue;
    const former = newest(places.get(slot) ?? []);
    plan.create.push({ place: { slot }, ...(former ? { former } : {}) });
  }
  plan.more = wanted > plan.create.length;
}

/** A task on each node that was there when the run was asked for. */
function planGlobal(
  plan: JobPlan,
  service: Service,
  places: ReadonlyMap<PlaceKey, readonly Task[]>,
  view: View,
  history: RestartHistory,
): void {
  for (const node of view.all('node')) {
    const tasks = places.get(node.id) ?? [];
    const state = placeState(tasks, view, history);
    if (isUnfit(node))
      plan.shutdown.push(...tasks.filter(isOpen).filter(({ status }) => !hasEnded(status.state)));
    else if (state.kind === 'broken') plan.broken.push(state.task);
    else if (state.kind === 'free' && takesRun(service, node)) {
      const former = newest(tasks);
      plan.create.push({ place: { nodeId: node.id }, ...(former ? { former } : {}) });
    }
  }
  for (const [key, tasks] of places)
    if (!view.get('node', String(key))) plan.shutdown.push(...tasks.filter(isOpen));
}

/** SwarmKit's rule: a node that joined after the run was asked for takes no part in it. */
function takesRun(service: Service, node: Node): boolean {
  return (
    node.status.state === 'ready' &&
    node.spec.availability === 'active' &&
    node.description !== undefined &&
    node.meta.createdAtMs < (service.job?.lastExecutionMs ?? service.meta.createdAtMs) &&
    satisfies(node, service.spec.task.placement)
  );
}
