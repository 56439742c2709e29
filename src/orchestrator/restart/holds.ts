import { hasEnded, type Task } from '../../model/index.ts';
import type { LoopContext } from '../../store/index.ts';
import { mustEndFirst } from './restart.ts';

const NS_PER_MS = 1e6;
/** How long the end of a former task is waited for, as SwarmKit does, or longer where it may take longer to stop. */
const LEAST_STOP_MS = 60_000;
const STOP_SLACK_MS = 10_000;

interface Hold {
  readonly oldId: string;
  /** By the monotonic clock: when the delay is over, and when the other's end is waited for no longer. */
  readonly dueMs: number;
  readonly giveUpMs: number;
}

/**
 * The tasks that are wanted `ready` and wait for their turn: until their delay is over and the task whose place they
 * take has ended, its node is lost, or that takes too long. Read off the tasks alone, so that a manager that starts finds
 * the same holds again.
 */
export class Holds {
  readonly #context: LoopContext;
  readonly #wakeIn: (taskId: string, ms: number) => void;
  readonly #holds = new Map<string, Hold>();
  readonly #waiting = new Map<string, Set<string>>();
  #open = new Set<string>();

  constructor(context: LoopContext, wakeIn: (taskId: string, ms: number) => void) {
    this.#context = context;
    this.#wakeIn = wakeIn;
  }

  get size(): number {
    return this.#holds.size;
  }

  /** Looks at a task that was found, made or changed. */
  see(task: Task): void {
    const held = this.#holds.has(task.id);
    if (task.desiredState === 'ready' && !held) this.#add(task);
    else if (task.desiredState !== 'ready' && held) this.drop(task.id);
    if (hasEnded(task.status.state)) this.ended(task.id);
  }

  /** A task is gone, and waits no longer. */
  drop(id: string): void {
    const hold = this.#holds.get(id);
    if (!hold) return;
    this.#holds.delete(id);
    this.#open.delete(id);
    const waiting = this.#waiting.get(hold.oldId);
    if (waiting?.delete(id) && waiting.size === 0) this.#waiting.delete(hold.oldId);
  }

  /** A task ended, will not be heard of any more, or is gone: who waits for it looks again. */
  ended(oldId: string): void {
    for (const id of this.#waiting.get(oldId) ?? []) this.#open.add(id);
  }

  /** The time that a task waited for came. */
  wake(id: string): void {
    if (this.#holds.has(id)) this.#open.add(id);
  }

  /** What is left of a task's delay; undefined when it is not held back. */
  heldMs(id: string): number | undefined {
    const hold = this.#holds.get(id);
    return hold && Math.max(0, hold.dueMs - this.#context.times.nowMs());
  }

  /** The tasks whose turn came; each is told once. The others have their moment set. */
  takeDue(): string[] {
    const due: string[] = [];
    const { store, times } = this.#context;
    const nowMs = times.nowMs();
    for (const id of this.#open) {
      const hold = this.#holds.get(id);
      if (!hold) continue;
      if (nowMs < hold.dueMs) {
        this.#wakeIn(id, hold.dueMs - nowMs);
        continue;
      }
      const old = store.view.get('task', hold.oldId);
      if (old && nowMs < hold.giveUpMs && mustEndFirst(store.view, old)) {
        this.#wakeIn(id, hold.giveUpMs - nowMs);
        continue;
      }
      due.push(id);
      this.drop(id);
    }
    this.#open = new Set();
    return due;
  }

  #add(task: Task): void {
    const { times } = this.#context;
    const { taskId: oldId, delayMs } = task.replaces ?? { taskId: '', delayMs: 0 };
    // After a restart of the manager some of it has passed; a date that jumped makes it neither longer nor negative.
    const passedMs = Math.max(0, times.wallMs() - task.meta.createdAtMs);
    const stopMs = (task.spec.container?.stopGracePeriodNs ?? 0) / NS_PER_MS + STOP_SLACK_MS;
    const nowMs = times.nowMs();
    this.#holds.set(task.id, {
      oldId,
      dueMs: nowMs + Math.max(0, delayMs - passedMs),
      giveUpMs: nowMs + Math.max(0, Math.max(LEAST_STOP_MS, stopMs) - passedMs),
    });
    this.#open.add(task.id);
    const waiting = this.#waiting.get(oldId);
    if (waiting) waiting.add(task.id);
    else this.#waiting.set(oldId, new Set([task.id]));
  }
}
