import { stateRank, type Service, type Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { Step } from '../apply.ts';
import { isWanted, want } from '../wanted.ts';
import { UpdateProgress } from './progress.ts';
import { replaceStep, worth, type Place } from './replace.ts';
import { rulesOf } from './rules.ts';
import { completeStep, failureStep, startStep } from './status.ts';

const RUNNING = stateRank('running');
/** How many places one look takes, so that a large update leaves room for other things. */
const MOST_AT_ONCE = 500;

export interface UpdateInput {
  readonly service: Service;
  /** The places that the update is about, in the order in which it takes them. */
  readonly places: readonly Place[];
  /** All tasks of the service. */
  readonly tasks: readonly Task[];
  readonly isDirty: (task: Task) => boolean;
  readonly progress: UpdateProgress | undefined;
  readonly view: View;
  /** Of the monotonic clock. */
  readonly nowMs: number;
  readonly wallMs: number;
}

export interface UpdatePlan {
  readonly steps: readonly Step[];
  /** Of the update that is under way after this; undefined when none is. */
  readonly progress?: UpdateProgress;
  /** When to look again though nothing changed. */
  readonly wakeInMs?: number;
  /** Some places have an old task besides a new one that does not run yet. */
  readonly doubled: boolean;
}

/**
 * What comes next in bringing a service's places to its spec: SwarmKit's rolling update, decided anew each time from the
 * tasks as they are. It begins when something is dirty after the service was written (its update status is absent), goes on
 * as long as the status says so, and leaves a service alone whose update has ended or is paused.
 */
export function planUpdate(input: UpdateInput): UpdatePlan {
  const { service, wallMs } = input;
  const { steps, dirty, doubled } = sortPlaces(input);
  const state = service.updateStatus?.state;
  const underWay = state === 'updating' || state === 'rollback_started';
  if (state !== undefined && !underWay) return { steps, doubled };
  let progress = input.progress?.isOf(service) ? input.progress : undefined;
  if (!progress) {
    if (!underWay && dirty.length === 0) return { steps, doubled };
    progress = new UpdateProgress(service);
    if (underWay) progress.resume(service, input.tasks, input.nowMs, wallMs);
    else steps.push(startStep(service, wallMs));
    for (const { key } of dirty) if (!progress.taken.has(key)) progress.total++;
  }
  const { failureAction, maxFailureRatio } = progress.rules;
  const [failed] = [...progress.failed].slice(-1);
  if (
    failed !== undefined &&
    failureAction !== 'continue' &&
    progress.failed.size / progress.total > maxFailureRatio
  ) {
    steps.push(failureStep(service, failed, failureAction === 'rollback', wallMs));
    return { steps, doubled };
  }
  return { doubled, ...goOn(input, progress, dirty, steps) };
}

/** Frees those that are done, takes as many places as it may, and ends the update when it was watched long enough. */
function goOn(
  { service, places, view, nowMs, wallMs }: UpdateInput,
  progress: UpdateProgress,
  dirty: readonly Place[],
  steps: Step[],
): Omit<UpdatePlan, 'doubled'> {
  const { parallelism, delayMs, monitorMs, startFirst } = progress.rules;
  progress.resting = progress.resting.filter((untilMs) => untilMs > nowMs);
  for (const [place, id] of progress.working) {
    const task = view.get('task', id);
    if (task && isWanted(task) && stateRank(task.status.state) < RUNNING) continue;
    progress.working.delete(place);
    const heir = task && heirOf(task, places);
    if (heir) {
      progress.take(place, heir.id);
      continue;
    }
    if (task && delayMs > 0) progress.resting.push(nowMs + delayMs);
  }
  const open = dirty.filter(({ key }) => !progress.taken.has(key));
  const free = Math.min(MOST_AT_ONCE, parallelism - progress.working.size - progress.resting.length);
  for (const place of open.slice(0, Math.max(0, free))) {
    const { step, newTaskId } = replaceStep(service, place, startFirst, wallMs);
    steps.push(step);
    progress.take(place.key, newTaskId);
  }
  if (open.length > 0 || progress.working.size > 0) {
    progress.watchedFromMs = undefined;
    if (open.length > free && free === MOST_AT_ONCE) return { steps, progress, wakeInMs: 0 };
    const next = Math.min(...progress.resting);
    return { steps, progress, ...(next < Infinity ? { wakeInMs: next - nowMs } : {}) };
  }
  progress.watchedFromMs ??= nowMs;
  const leftMs = progress.watchedFromMs + monitorMs - nowMs;
  if (leftMs > 0) return { steps, progress, wakeInMs: leftMs };
  steps.push(completeStep(service, wallMs));
  return { steps };
}

/** Who took the place of a task that lost its node before it could run or end: the update waits for that one then. */
function heirOf({ id, status }: Task, places: readonly Place[]): Task | undefined {
  if (stateRank(status.state) >= RUNNING) return undefined;
  for (const { tasks } of places) {
    const heir = tasks.find(({ replaces }) => replaces?.taskId === id);
    if (heir) return heir;
  }
  return undefined;
}

/**
 * Which places are dirty, and what can be put right at once: where a new task runs beside old ones (it was to start
 * first), or need not be waited for, the old ones leave.
 */
function sortPlaces({ service, places, isDirty, wallMs }: UpdateInput): {
  steps: Step[];
  dirty: Place[];
  doubled: boolean;
} {
  const { startFirst } = rulesOf(service);
  const paused =
    service.updateStatus?.state === 'paused' || service.updateStatus?.state === 'rollback_paused';
  const steps: Step[] = [];
  const dirty: Place[] = [];
  let doubled = false;
  for (const place of places) {
    const clean = place.tasks.filter((task) => !isDirty(task));
    const [keep] = clean.sort((a, b) => worth(b) - worth(a));
    if (!keep) dirty.push(place);
    else if (place.tasks.length === 1) continue;
    else if (keep.status.state === 'running' || (!startFirst && !paused)) {
      const others = place.tasks.filter((task) => task !== keep);
      steps.push({
        about: { service: service.id },
        change: (tx) => {
          const now = tx.get('task', keep.id);
          if (now && isWanted(now)) for (const { id } of others) want(tx, id, 'shutdown', wallMs);
        },
      });
    } else doubled = true;
  }
  return { steps, dirty, doubled };
}
