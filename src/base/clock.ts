import { pause } from './async.ts';

/** Time that only goes forward, for deadlines; it goes on while the process is stopped. */
export interface Clock {
  nowMs(): number;
  /** Waits `ms`; returns early, without throwing, when the signal fires. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

export const MONOTONIC: Clock = { nowMs: () => performance.now(), pause };

/** A clock that also knows the date. */
export interface Times extends Clock {
  /** Milliseconds since 1970; it may jump. For what is shown and stored, never for deadlines. */
  wallMs(): number;
}

export const SYSTEM_TIMES: Times = {
  ...MONOTONIC,
  wallMs: () => Date.now(),
};
