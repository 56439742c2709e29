import { setImmediate as nextRound } from 'node:timers/promises';
import type { Times } from '../../src/base/clock.ts';

/** Rounds of the event loop in which nothing may happen before it counts as settled. */
const QUIET_ROUNDS = 3;
/** Of the event loop; a loop that never comes to rest is a defect of what is tested. */
const MOST_ROUNDS = 100_000;

interface Pause {
  readonly dueMs: number;
  readonly wake: () => void;
}

/**
 * Time that passes only when told to. Both clocks go together; they start at 1 January 2024, so that what is
 * shown looks like a date.
 */
export class FakeTimes implements Times {
  #nowMs: number;
  readonly #pauses = new Set<Pause>();
  /** Grows with all that happens here. */
  #moves = 0;
  readonly #others: (() => number)[] = [];

  constructor(startMs = Date.UTC(2024, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  async pause(ms: number, signal: AbortSignal): Promise<void> {
    this.#moves++;
    if (signal.aborted || ms <= 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    const pause: Pause = { dueMs: this.#nowMs + ms, wake };
    this.#pauses.add(pause);
    signal.addEventListener('abort', wake, { once: true });
    await promise;
    signal.removeEventListener('abort', wake);
    this.#pauses.delete(pause);
    this.#moves++;
  }

  /** Has `settle` wait until this number stands still too. */
  heed(moves: () => number): void {
    this.#others.push(moves);
  }

  /** How many pauses are under way: a leak shows here. */
  get waiting(): number {
    return this.#pauses.size;
  }

  /** Lets everything run that needs no time. */
  async settle(): Promise<void> {
    let seen = -1;
    for (let round = 0, quiet = 0; quiet < QUIET_ROUNDS; round++) {
      if (round > MOST_ROUNDS) throw new Error('it does not come to rest: something goes on without waiting');
      await nextRound();
      const moves = this.#others.reduce((sum, of) => sum + of(), this.#moves);
      quiet = moves === seen ? quiet + 1 : 0;
      seen = moves;
    }
  }

  /** Lets `ms` pass: pauses end in the order in which they are due, and what follows each runs before the next ends. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.settle();
    for (let next = this.#next(); next <= untilMs; next = this.#next()) {
      this.#nowMs = Math.max(this.#nowMs, next);
      for (const pause of [...this.#pauses]) {
        if (pause.dueMs > next) continue;
        this.#pauses.delete(pause);
        pause.wake();
      }
      await this.settle();
    }
    this.#nowMs = untilMs;
    await this.settle();
  }

  #next(): number {
    let earliest = Infinity;
    for (const { dueMs } of this.#pauses) earliest = Math.min(earliest, dueMs);
    return earliest;
  }
}
