import { Bell } from '../../src/base/bell.ts';
import type { Times } from '../../src/base/clock.ts';
import { hasEnded, stateRank, type Task, type TaskState } from '../../src/model/index.ts';
import type { Store } from '../../src/store/index.ts';
import type { Behaviour } from './behaviour.ts';

const USUAL_MS = 100;

/**
 * The agents of all nodes, and the dispatcher between them and the store. Each task's life is a small loop of its own. What
 * happens on a node that is not ready is written when it is ready again.
 */
export class SimulatedAgents {
  readonly #store: Store;
  readonly #times: Times;
  readonly #signal: AbortSignal;
  readonly #behaviourOf: (task: Task) => Behaviour;
  readonly #lives = new Map<string, Bell>();

  constructor(store: Store, times: Times, signal: AbortSignal, behaviourOf: (task: Task) => Behaviour) {
    this.#store = store;
    this.#times = times;
    this.#signal = signal;
    this.#behaviourOf = behaviourOf;
  }

  /** Looks at a task that was made or changed. */
  see(task: Task): void {
    const known = this.#lives.get(task.id);
    if (known) known.ring();
    else if (task.nodeId !== '' && task.status.state === 'assigned') void this.#live(task.id);
  }

  /** A node came or went: what waits for it looks again. */
  seeNode(): void {
    for (const bell of this.#lives.values()) bell.ring();
  }

  async #live(id: string): Promise<void> {
    const bell = new Bell();
    this.#lives.set(id, bell);
    try {
      const end = await this.#untilItEnds(id, bell);
      if (end) await this.#report(id, bell, end.state, end.exitCode);
    } finally {
      this.#lives.delete(id);
    }
  }

  /** Undefined when the task is not there any more, or everything stops. */
  async #untilItEnds(id: string, bell: Bell): Promise<{ state: TaskState; exitCode?: number } | undefined> {
    const first = this.#store.view.get('task', id);
    if (!first) return undefined;
    const { startMs = USUAL_MS, stopMs = USUAL_MS, ends } = this.#behaviourOf(first);
    const stopped = async (): Promise<{ state: TaskState } | undefined> =>
      (await this.#pause(id, bell, stopMs, 'remove')) === 'gone' ? undefined : { state: 'shutdown' };

    await this.#report(id, bell, 'accepted');
    await this.#report(id, bell, 'preparing');
    let left = await this.#pause(id, bell, startMs);
    if (left === 'time' && ends === 'rejected') return { state: 'rejected' };
    if (left === 'time') {
      await this.#report(id, bell, 'ready');
      left = await this.#untilDesiredToRun(id, bell);
    }
    if (left !== 'time') return left === 'gone' ? undefined : stopped();
    await this.#report(id, bell, 'starting');
    if (ends === 'rejected' || ends === undefined || ends.afterMs > 0)
      await this.#report(id, bell, 'running');
    left = await this.#pause(id, bell, typeof ends === 'object' ? ends.afterMs : Infinity);
    if (left === 'gone') return undefined;
    if (left === 'stop' || typeof ends !== 'object') return stopped();
    return { state: ends.exitCode === 0 ? 'complete' : 'failed', exitCode: ends.exitCode };
  }

  /** Whether it is to run, to stop, or not there any more; waits while it is only wanted to be ready. */
  async #untilDesiredToRun(id: string, bell: Bell): Promise<'time' | 'stop' | 'gone'> {
    for (;;) {
      const task = this.#store.view.get('task', id);
      if (!task) return 'gone';
      if (isToStop(task)) return 'stop';
      if (task.desiredState !== 'ready') return 'time';
      if (!(await bell.heard(this.#signal))) return 'gone';
    }
  }

  /** Lets time pass for a task until it is told to stop. With `ignoring`, the order to stop ends nothing. */
  async #pause(id: string, bell: Bell, ms: number, ignoring?: 'remove'): Promise<'time' | 'stop' | 'gone'> {
    const dueMs = this.#times.nowMs() + ms;
    for (;;) {
      const task = this.#store.view.get('task', id);
      if (!task || this.#signal.aborted) return 'gone';
      if (!ignoring && isToStop(task) && this.#isUp(task.nodeId)) return 'stop';
      if (this.#times.nowMs() >= dueMs) return 'time';
      const over = new AbortController();
      const timed = ms === Infinity ? undefined : this.#times.pause(dueMs - this.#times.nowMs(), over.signal);
      const heard = bell.heard(AbortSignal.any([over.signal, this.#signal]));
      await Promise.race([heard, ...(timed ? [timed] : [])]);
      over.abort();
      await Promise.all([heard, timed]);
    }
  }

  #isUp(nodeId: string): boolean {
    return this.#store.view.get('node', nodeId)?.status.state === 'ready';
  }

  /** Writes a state as soon as the node can be heard; never back, and never over an end. */
  async #report(id: string, bell: Bell, state: TaskState, exitCode?: number): Promise<void> {
    for (;;) {
      const task = this.#store.view.get('task', id);
      if (!task || this.#signal.aborted) return;
      if (this.#isUp(task.nodeId)) break;
      if (!(await bell.heard(this.#signal))) return;
    }
    const nowMs = this.#times.wallMs();
    await this.#store.update((tx) => {
      const task = tx.get('task', id);
      if (!task || hasEnded(task.status.state) || stateRank(task.status.state) >= stateRank(state)) return;
      const failed = exitCode !== undefined && exitCode !== 0;
      tx.update('task', {
        ...task,
        status: {
          ...task.status,
          state,
          timestampMs: nowMs,
          message: state === 'shutdown' ? 'shutdown' : state === 'running' ? 'started' : state,
          err: failed ? `task: non-zero exit (${exitCode})` : state === 'rejected' ? 'No such image' : '',
          ...(stateRank(state) >= stateRank('starting')
            ? { container: { id: `container-of-${id}`, pid: 1, exitCode: exitCode ?? 0 } }
            : {}),
          appliedAtMs: nowMs,
        },
      });
    });
  }
}

function isToStop(task: Task): boolean {
  return stateRank(task.desiredState) > stateRank('complete');
}
