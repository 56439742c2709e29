import type { Clock } from '../base/clock.ts';

/** How exactly deadlines are kept. */
export const TICK_MS = 100;
/** From one tick to the next no more than this counts, however long it took. */
const COUNTED_MAX_MS = 2 * TICK_MS;

/** Something that happens when nobody puts it off in time. One object for as long as its owner lives. */
export class Deadline {
  readonly fire: () => void;
  /** By the clock of the deadlines; Infinity while it is not set. */
  atMs = Infinity;
  /** The tick at which it is looked at next: at `atMs` or before. */
  tick = -1;

  /** `fire` must not throw. */
  constructor(fire: () => void) {
    this.fire = fire;
  }
}

/**
 * All deadlines of the dispatcher, by the tick at which they are due. To put one off costs nothing but a number: it is
 * moved when its tick comes.
 *
 * Their clock is the time in which this process could listen. What it missed, because the machine was suspended or
 * had no time for it, does not count: those who wait to be heard could not be.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #bearableMs: () => number;
  readonly #onMissed: (ms: number) => void;
  readonly #byTick = new Map<number, Set<Deadline>>();
  #nowMs = 0;
  #tickedAtMs: number;
  #tick = 0;

  /** A gap between two ticks above `bearableMs` is told to `onMissed`. */
  constructor(clock: Clock, bearableMs: () => number, onMissed: (ms: number) => void) {
    this.#clock = clock;
    this.#bearableMs = bearableMs;
    this.#onMissed = onMissed;
    this.#tickedAtMs = clock.nowMs();
  }

  set(deadline: Deadline, inMs: number): void {
    deadline.atMs = this.#now() + inMs;
    const tick = Math.max(Math.ceil(deadline.atMs / TICK_MS), this.#tick + 1);
    if (deadline.tick >= 0 && deadline.tick <= tick) return;
    this.#take(deadline);
    this.#put(deadline, tick);
  }

  /** At least so long from now, where it is set at all. */
  extend(deadline: Deadline, inMs: number): void {
    if (deadline.atMs < this.#now() + inMs) this.set(deadline, inMs);
  }

  clear(deadline: Deadline): void {
    this.#take(deadline);
    deadline.atMs = Infinity;
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#tickedAtMs = this.#clock.nowMs();
    while (!signal.aborted) {
      await this.#clock.pause(TICK_MS, signal);
      if (!signal.aborted) this.#advance();
    }
  }

  #advance(): void {
    const gapMs = this.#clock.nowMs() - this.#tickedAtMs;
    this.#nowMs = this.#now();
    this.#tickedAtMs += gapMs;
    if (gapMs > this.#bearableMs()) this.#onMissed(gapMs);
    const until = Math.floor(this.#nowMs / TICK_MS);
    while (this.#tick < until) {
      const due = this.#byTick.get(++this.#tick);
      this.#byTick.delete(this.#tick);
      for (const deadline of due ?? []) {
        deadline.tick = -1;
        if (deadline.atMs > this.#nowMs) this.#put(deadline, Math.ceil(deadline.atMs / TICK_MS));
        else {
          deadline.atMs = Infinity;
          deadline.fire();
        }
      }
    }
  }

  /** By the deadlines' clock. */
  #now(): number {
    return this.#nowMs + Math.min(this.#clock.nowMs() - this.#tickedAtMs, COUNTED_MAX_MS);
  }

  #put(deadline: Deadline, tick: number): void {
    deadline.tick = Math.max(tick, this.#tick + 1);
    const others = this.#byTick.get(deadline.tick);
    if (others) others.add(deadline);
    else this.#byTick.set(deadline.tick, new Set([deadline]));
  }

  #take(deadline: Deadline): void {
    if (deadline.tick < 0) return;
    const others = this.#byTick.get(deadline.tick);
    others?.delete(deadline);
    if (others?.size === 0) this.#byTick.delete(deadline.tick);
    deadline.tick = -1;
  }
}
