import type { Bell } from '../base/bell.ts';
import type { Clock } from '../base/clock.ts';

/** Waits for a ring, `ms` at most; returns early when the signal fires. */
export async function rungOrLate(bell: Bell, clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const waits = [bell.heard(either), clock.pause(ms, either)];
  await Promise.race(waits);
  over.abort();
  await Promise.all(waits);
}
