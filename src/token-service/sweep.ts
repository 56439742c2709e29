import { pause } from '../base/async.ts';
import type { Registrations } from './registrations.ts';

const SWEEP_MS = 10_000;
const NEXT_MS = 50;

/** Removes what has run out, a part at a time, until the signal fires. */
export async function keepSwept(registrations: Registrations, signal: AbortSignal): Promise<void> {
  let more = false;
  while (!signal.aborted) {
    await pause(more ? NEXT_MS : SWEEP_MS, signal);
    if (signal.aborted) return;
    try {
      more = registrations.sweep();
    } catch {
      more = false; // a full disk; requests say so, and what has run out is not listed anyway
    }
  }
}
