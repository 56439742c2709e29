import { SwarmError } from '../base/errors.ts';
import type { LoopContext, Tx } from '../store/index.ts';

/** One atomic step of a plan. `change` looks again at what it finds, and may be run twice. */
export interface Step {
  readonly change: (tx: Tx) => void;
  /** What it is about, for the log. */
  readonly about: Readonly<Record<string, string>>;
}

/** How many steps wait for the store at a time. */
const WINDOW = 200;

/**
 * Carries steps out in their order. One that fails is logged and does not stop the others. Throws `unavailable` when
 * nothing can be written: whoever planned has to look at everything again later.
 */
export async function applySteps({ store, log }: LoopContext, steps: readonly Step[]): Promise<void> {
  for (let at = 0; at < steps.length; at += WINDOW) {
    const window = steps.slice(at, at + WINDOW);
    const results = await Promise.allSettled(window.map(({ change }) => store.update(change)));
    for (const [index, result] of results.entries()) {
      if (result.status === 'fulfilled') continue;
      const error: unknown = result.reason;
      if (error instanceof SwarmError && error.code === 'unavailable') throw error;
      log.error({ ...window[index]?.about, err: error }, 'could not write what was decided');
    }
  }
}
