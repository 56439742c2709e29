/** What a task's container does when nobody tells it anything. */
export interface Behaviour {
  /** From `assigned` to `running`; Infinity stays `preparing` for ever. 100 ms unless said. */
  readonly startMs?: number;
  /** From the order to stop to `shutdown`. 100 ms unless said. */
  readonly stopMs?: number;
  /** How it ends by itself: refused before it starts, or after so long with that code. Without it, it runs on. */
  readonly ends?: 'rejected' | { readonly afterMs: number; readonly exitCode: number };
}

/** Starts, and runs until it is told to stop. */
export const RUNS: Behaviour = {};
/** Ends as soon as it is started, with exit code 1. */
export const FAILS_AT_ONCE: Behaviour = { ends: { afterMs: 0, exitCode: 1 } };
/** The engine refuses it: no image, a wrong mount. */
export const REJECTED: Behaviour = { ends: 'rejected' };
/** Never gets beyond `preparing`. */
export const HANGS: Behaviour = { startMs: Infinity };

/** Runs for a while, then ends: `complete` with code 0, else `failed`. */
export function endsAfter(afterMs: number, exitCode: number): Behaviour {
  return { ends: { afterMs, exitCode } };
}
