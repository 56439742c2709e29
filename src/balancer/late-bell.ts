import type { Bell } from '../base/bell.ts';
import type { Clock } from '../base/clock.ts';

/** Rings a bell after a while. Of several wishes the soonest counts, so that there is one at a time. */
export class LateBell {
  readonly #bell: Bell;
  readonly #clock: Clock;
  #pending: { readonly atMs: number; readonly stop: AbortController } | undefined;

  constructor(bell: Bell, clock: Clock) {
    this.#bell = bell;
    this.#clock = clock;
  }

  /** The signal takes the wish back. */
  ringIn(ms: number, signal: AbortSignal): void {
    const atMs = this.#clock.nowMs() + ms;
    if (this.#pending && this.#pending.atMs <= atMs) return;
    this.#pending?.stop.abort();
    const stop = new AbortController();
    const pending = { atMs, stop };
    this.#pending = pending;
    void this.#clock.pause(ms, AbortSignal.any([signal, stop.signal])).then(() => {
      if (this.#pending !== pending) return;
      this.#pending = undefined;
      this.#bell.ring();
    });
  }
}
