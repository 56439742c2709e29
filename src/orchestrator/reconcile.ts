import type { Service, Task } from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import type { Step } from './apply.ts';
import { createStep } from './create.ts';
import { planGlobal } from './global/plan.ts';
import { satisfies } from './placement-match.ts';
import { planReplicated } from './replicated/plan.ts';
import type { RestartHistory } from './restart/history.ts';
import { DirtyCheck } from './update/dirty.ts';
import { planUpdate, type UpdatePlan } from './update/plan.ts';
import type { UpdateProgress } from './update/progress.ts';
import { replaceStep, type Place } from './update/replace.ts';
import { want } from './wanted.ts';

/** What every look at a service needs. */
export interface Reconciling {
  readonly context: LoopContext;
  readonly history: RestartHistory;
}

export function wantStep(task: Task, desiredState: 'shutdown' | 'remove', nowMs: number): Step {
  return {
    about: { service: task.serviceId, task: task.id },
    change: (tx) => void want(tx, task.id, desiredState, nowMs),
  };
}

/** Everything that one service needs now, from all its tasks. `more` is whether to look again at once. */
export function reconcileService(
  { context, history }: Reconciling,
  service: Service,
  progress: UpdateProgress | undefined,
): UpdatePlan & { more: boolean } {
  const { view } = context.store;
  const [nowMs, wallMs] = [context.times.nowMs(), context.times.wallMs()];
  const tasks = [...view.tasksOfService(service.id)];
  const { steps, places, more } = scale({ context, history }, service, tasks, wallMs);
  const dirty = new DirtyCheck(service, view, satisfies);
  const isDirty = (task: Task): boolean => dirty.isDirty(task);
  const plan = planUpdate({ service, places, tasks, isDirty, progress, view, nowMs, wallMs });
  // The places that stay are brought up to date before new ones are filled, as SwarmKit does.
  return { ...plan, steps: [...plan.steps, ...steps], more };
}

function scale(
  { context, history }: Reconciling,
  service: Service,
  tasks: readonly Task[],
  wallMs: number,
): { steps: Step[]; places: readonly Place[]; more: boolean } {
  const { view } = context.store;
  const { mode } = service.spec;
  if (mode.kind === 'replicated') {
    const { kept, create, remove, more } = planReplicated(service, mode.replicas, tasks, view, history);
    const steps = [
      ...remove.map((task) => wantStep(task, 'remove', wallMs)),
      ...create.map((slot) => createStep(service, slot, wallMs)),
    ];
    return { steps, places: kept, more };
  }
  const plan = planGlobal(service, view.all('node'), tasks, view, history);
  return { steps: globalSteps(service, plan, wallMs), places: plan.kept, more: false };
}

function globalSteps(
  service: Service,
  { create, shutdown, remove }: ReturnType<typeof planGlobal>,
  wallMs: number,
): Step[] {
  return [
    ...remove.map((task) => wantStep(task, 'remove', wallMs)),
    ...shutdown.map((task) => wantStep(task, 'shutdown', wallMs)),
    ...create.map(({ nodeId, former }) => createStep(service, nodeId, wallMs, former)),
  ];
}

/**
 * What global services need after one node changed: `tasks` are the service's on that node. A task that an earlier update left
 * out, because its node was paused, is replaced at once; `update` is whether the service's update has to see to it.
 */
export function reconcileNode(
  { context, history }: Reconciling,
  service: Service,
  nodeId: string,
  tasks: readonly Task[],
): { steps: Step[]; update: boolean } {
  const { view } = context.store;
  const wallMs = context.times.wallMs();
  const node = view.get('node', nodeId);
  const plan = planGlobal(service, node ? [node] : [], tasks, view, history);
  const steps = globalSteps(service, plan, wallMs);
  const dirty = new DirtyCheck(service, view, satisfies);
  const stale = plan.kept.filter(({ tasks: there }) => there.every((task) => dirty.isDirty(task)));
  const state = service.updateStatus?.state;
  if (stale.length === 0 || state === 'paused' || state === 'rollback_paused')
    return { steps, update: false };
  if (state !== 'completed' && state !== 'rollback_completed') return { steps, update: true };
  return {
    steps: [...steps, ...stale.map((place) => replaceStep(service, place, false, wallMs).step)],
    update: false,
  };
}
