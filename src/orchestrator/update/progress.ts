import { hasEnded, stateRank, type Service, type Task } from '../../model/index.ts';
import { isWanted, placeOf, type PlaceKey } from '../wanted.ts';
import { isRollback, rulesOf, type UpdateRules } from './rules.ts';

const RUNNING = stateRank('running');
/** A task may take so long to start; beyond it and the monitored time, its end was not an early one. */
const START_MS = 10_000;

/** How far an update is: what can't be read off the tasks. Moments are of the monotonic clock. */
export class UpdateProgress {
  readonly serviceId: string;
  readonly specVersion: number;
  readonly rollback: boolean;
  readonly rules: UpdateRules;
  /** Of how many places the failures are a part. */
  total = 0;
  /** Each place is taken once: one that failed is left to the restart policy. */
  readonly taken = new Set<PlaceKey>();
  /** Places whose new task has not come to run or end. */
  readonly working = new Map<PlaceKey, string>();
  /** When those that wait out the delay will be done with it. */
  resting: number[] = [];
  /** The tasks whose end is a failure of the update, in order. */
  readonly failed = new Set<string>();
  /** Since when nothing is left to do but to watch. */
  watchedFromMs: number | undefined;
  /** The tasks that this update made, and when they came to run. */
  readonly #made = new Map<string, number | undefined>();

  constructor(service: Service) {
    this.serviceId = service.id;
    this.specVersion = service.specVersion;
    this.rollback = isRollback(service);
    this.rules = rulesOf(service);
  }

  isOf(service: Service): boolean {
    return this.specVersion === service.specVersion && this.rollback === isRollback(service);
  }

  take(place: PlaceKey, newTaskId: string): void {
    this.taken.add(place);
    this.working.set(place, newTaskId);
    this.#made.set(newTaskId, undefined);
  }

  /** To be told of every change of the service's tasks, as it comes; true when the update is to go on with it. */
  see(task: Task, nowMs: number): boolean {
    if (!this.#made.has(task.id)) return false;
    if (stateRank(task.status.state) < RUNNING) return !isWanted(task);
    const ranMs = this.#made.get(task.id);
    if (ranMs === undefined) this.#made.set(task.id, nowMs);
    // One that was told to stop has not failed.
    if (hasEnded(task.status.state) && isWanted(task) && !this.failed.has(task.id)) {
      if (ranMs === undefined || nowMs - ranMs <= this.rules.monitorMs) this.failed.add(task.id);
    }
    return true;
  }

  /**
   * Finds out where an update was when the process ended, from all tasks of its service: those made by it that
   * are to come up still, those that are watched, and those that failed.
   */
  resume(service: Service, tasks: readonly Task[], nowMs: number, wallMs: number): void {
    const startedAtMs = service.updateStatus?.startedAtMs ?? wallMs;
    const versions = new Map(tasks.map(({ id, specVersion }) => [id, specVersion]));
    for (const task of tasks) {
      const { replaces, status, meta } = task;
      if (task.specVersion !== service.specVersion || meta.createdAtMs < startedAtMs || !replaces) continue;
      const former = versions.get(replaces.taskId);
      if (former === undefined || former === service.specVersion) continue; // a restart
      const place = placeOf(task);
      this.taken.add(place);
      if (isWanted(task) && stateRank(status.state) < RUNNING) this.take(place, task.id);
      else if (isWanted(task) && status.state === 'running')
        this.#made.set(task.id, nowMs - Math.max(0, wallMs - status.appliedAtMs));
      else if (status.state === 'failed' || status.state === 'rejected' || status.state === 'complete') {
        const livedMs = status.appliedAtMs - meta.createdAtMs;
        if (livedMs <= this.rules.monitorMs + START_MS) this.failed.add(task.id);
      }
    }
    this.total = this.taken.size;
  }
}
