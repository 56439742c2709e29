import { hasEnded, stateRank, type Service, type Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { RestartHistory } from '../restart/history.ts';
import { isUnfit } from '../wanted.ts';

const COMPLETE = stateRank('complete');

export function isJob(service: Service): boolean {
  return service.spec.mode.kind === 'replicated-job' || service.spec.mode.kind === 'global-job';
}

/** Whether a job's task is to run to its end, now or when its turn comes. */
export function isOpen(task: Task): boolean {
  return stateRank(task.desiredState) <= COMPLETE;
}

/** Whether a task belongs to the run that the service is in. */
export function isOfThisRun(task: Task, service: Service): boolean {
  return task.jobIteration === service.job?.iteration;
}

/** Whether a task will not complete any more where it is: it ended otherwise, or its node is lost. */
export function isBroken(view: Pick<View, 'get'>, { status, nodeId }: Task): boolean {
  if (status.state === 'complete') return false;
  return hasEnded(status.state) || (nodeId !== '' && isUnfit(view.get('node', nodeId)));
}

/**
 * How a place of a job fares: `done` once a task of it completed; `open` while one runs or waits for its turn; `broken` when
 * that one has to be seen to; `given up` when it failed and its restart policy gives it no successor; else `free`.
 */
export type PlaceState =
  { readonly kind: 'done' | 'open' | 'given up' | 'free' } | { readonly kind: 'broken'; readonly task: Task };

/** `tasks` are those of the place in this run. */
export function placeState(tasks: readonly Task[], view: View, history: RestartHistory): PlaceState {
  if (tasks.some(({ status }) => status.state === 'complete')) return { kind: 'done' };
  const open = tasks.find(isOpen);
  if (open) return isBroken(view, open) ? { kind: 'broken', task: open } : { kind: 'open' };
  const last = newest(tasks);
  return { kind: !last || history.allows(view, last) ? 'free' : 'given up' };
}

export function newest(tasks: readonly Task[]): Task | undefined {
  return tasks.reduce<Task | undefined>(
    (a, b) => (a === undefined || b.meta.createdAtMs >= a.meta.createdAtMs ? b : a),
    undefined,
  );
}
