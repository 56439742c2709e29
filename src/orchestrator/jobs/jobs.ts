import { hasEnded, type Task } from '../../model/index.ts';
import type { LoopContext, StoreEvent } from '../../store/index.ts';
import { applySteps, type Step } from '../apply.ts';
import type { Holds } from '../restart/holds.ts';
import type { RestartHistory } from '../restart/history.ts';
import type { Turns } from '../turns.ts';
import { want } from '../wanted.ts';
import { isJob } from './places.ts';
import { planJob } from './plan.ts';
import { createJobTask, restartJobTask, startJobTask, type JobSteps } from './steps.ts';

/** So many tasks looked at are worth a millisecond's rest: large jobs leave time for everything else. */
const TASKS_PER_REST_MS = 100;
/** Fewer are no matter. */
const FEW_TASKS = 1000;
const LONGEST_REST_MS = 1000;

/** What changes about jobs is gathered; a turn looks at the jobs that it is about, each as a whole. */
export class Jobs implements Turns {
  readonly name = 'the loop of jobs';
  readonly #context: LoopContext;
  readonly #holds: Holds;
  readonly #history: RestartHistory;
  readonly #signal: AbortSignal;
  readonly #steps: JobSteps;
  #dirty = new Set<string>();
  /** Jobs that are gone and leave tasks. */
  #removed = new Set<string>();
  readonly #globals = new Set<string>();

  constructor(context: LoopContext, holds: Holds, history: RestartHistory, signal: AbortSignal) {
    this.#context = context;
    this.#holds = holds;
    this.#history = history;
    this.#signal = signal;
    this.#steps = {
      history,
      nowMs: () => context.times.wallMs(),
      heldMs: (id) => holds.heldMs(id),
    };
  }

  get hasWork(): boolean {
    return this.#dirty.size > 0 || this.#removed.size > 0;
  }

  lookAtEverything(): void {
    const { view } = this.#context.store;
    for (const service of view.all('service'))
      if (isJob(service)) this.#seeService(service.id, service.spec.mode.kind);
    for (const task of view.all('task')) {
      if (task.jobIteration === undefined) continue;
      this.#holds.see(task);
      if (!view.get('service', task.serviceId)) this.#removed.add(task.serviceId);
    }
  }

  see(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (event.kind === 'service') this.#serviceChanged(event);
      else if (event.kind === 'node') this.#nodeChanged(event);
      else if (event.kind === 'task' && event.object.jobIteration !== undefined) this.#taskChanged(event);
    }
  }

  #seeService(id: string, mode: string): void {
    this.#dirty.add(id);
    if (mode === 'global-job') this.#globals.add(id);
  }

  #serviceChanged({ type, object, previous }: StoreEvent<'service'>): void {
    if (!isJob(object)) return;
    if (type !== 'remove') {
      if (previous?.spec !== object.spec || previous.job !== object.job)
        this.#seeService(object.id, object.spec.mode.kind);
      return;
    }
    this.#dirty.delete(object.id);
    this.#globals.delete(object.id);
    this.#history.forget(object.id);
    this.#removed.add(object.id);
  }

  #nodeChanged({ type, object, previous }: StoreEvent<'node'>): void {
    const same =
      previous?.spec === object.spec &&
      previous.description === object.description &&
      previous.status.state === object.status.state &&
      previous.status.addr === object.status.addr;
    if (same && type !== 'remove') return;
    for (const id of this.#globals) this.#dirty.add(id);
    for (const task of this.#context.store.view.tasksOfNode(object.id)) {
      if (task.jobIteration === undefined) continue;
      if (type === 'remove' || object.status.state === 'down') this.#holds.ended(task.id);
      this.#dirty.add(task.serviceId);
    }
  }

  #taskChanged({ type, object: task, previous }: StoreEvent<'task'>): void {
    if (type === 'remove') {
      this.#holds.drop(task.id);
      this.#holds.ended(task.id);
      this.#dirty.add(task.serviceId);
      return;
    }
    if (type === 'create') this.#history.note(task);
    this.#holds.see(task);
    const moved = previous !== undefined && previous.desiredState !== task.desiredState;
    const ended = hasEnded(task.status.state) && previous?.status.state !== task.status.state;
    if (moved || ended) this.#dirty.add(task.serviceId);
  }

  async turn(): Promise<void> {
    const [dirty, removed] = [this.#dirty, this.#removed];
    this.#dirty = new Set();
    this.#removed = new Set();
    const wallMs = this.#context.times.wallMs();
    const steps: Step[] = [...removed].flatMap((id) =>
      [...this.#context.store.view.tasksOfService(id)].map((task) => wanting(task, 'remove', wallMs)),
    );
    let looked = 0;
    for (const id of dirty) looked += this.#lookAt(id, steps);
    await applySteps(this.#context, steps);
    await applySteps(
      this.#context,
      this.#holds.takeDue().map((id) => ({
        about: { task: id },
        change: (tx) => startJobTask(tx, id, this.#steps),
      })),
    );
    const restMs = Math.min(LONGEST_REST_MS, looked / TASKS_PER_REST_MS);
    if (looked > FEW_TASKS) await this.#context.times.pause(restMs, this.#signal);
  }

  /** Adds what a job needs; returns how many tasks it has. One that can't be understood is no reason to leave the others alone. */
  #lookAt(id: string, steps: Step[]): number {
    const { store, log, times } = this.#context;
    const service = store.view.get('service', id);
    if (!service || !isJob(service)) return 0;
    const wallMs = times.wallMs();
    try {
      const plan = planJob(service, store.view, this.#history);
      if (plan.more) this.#dirty.add(id);
      steps.push(
        ...plan.remove.map((task) => wanting(task, 'remove', wallMs)),
        ...plan.shutdown.map((task) => wanting(task, 'shutdown', wallMs)),
        ...plan.broken.map((task) => ({
          about: { task: task.id },
          change: (tx: Parameters<Step['change']>[0]) => restartJobTask(tx, task.id, this.#steps),
        })),
        ...plan.create.map(({ place, former }) => createJobTask(service, place, former, wallMs)),
      );
      return plan.looked;
    } catch (error) {
      log.error({ service: id, err: error }, 'could not decide about a job');
      return 0;
    }
  }
}

function wanting(task: Task, desiredState: 'shutdown' | 'remove', nowMs: number): Step {
  return {
    about: { service: task.serviceId, task: task.id },
    change: (tx) => void want(tx, task.id, desiredState, nowMs),
  };
}
