import { pause } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';

/** So long after a change the store is read: a burst of changes costs one reading. */
const SETTLE_MS = 100;

/** What told of changes has broken off; the store itself may be well. */
export class BrokenOffError extends SwarmError {
  constructor(cause: unknown) {
    super('unavailable', messageOf(cause), { cause });
  }
}

export interface FollowOptions<T> {
  /** Reads the present state. Throws where it cannot; undefined: the changes are those of another server, begin anew. */
  look: () => Promise<T | undefined>;
  /** Yields whenever something may have changed after the first look. Throws, or ends, where it cannot tell any more. */
  changes: (signal: AbortSignal) => AsyncIterable<unknown>;
  signal: AbortSignal;
  /** Looks so often in any case: a server that fell silent is found out, and what `changes` missed. */
  everyMs: number;
  settleMs?: number;
}

/**
 * The state of something in a store: at once, after every change and at every `everyMs`. Ends when `changes` does or a
 * look gives nothing. Throws what a look throws, and BrokenOffError where `changes` does.
 */
export async function* follow<T>(options: FollowOptions<T>): AsyncGenerator<T> {
  const { look, changes, signal, everyMs, settleMs = SETTLE_MS } = options;
  const first = await look();
  if (first === undefined) return;
  yield first;
  const turn = new AbortController();
  const bell = new Bell();
  const listening = listen(changes(AbortSignal.any([signal, turn.signal])), bell);
  // It may fail while nobody waits for it; whoever does hears of it.
  listening.catch(() => undefined);
  try {
    while (!signal.aborted) {
      const why = await bell.wait(everyMs, signal);
      if (why === 'changed') await pause(settleMs, signal);
      if (signal.aborted) return;
      if (bell.over) return await listening;
      bell.clear();
      const now = await look();
      if (now === undefined) return;
      yield now;
    }
  } finally {
    turn.abort();
  }
}

async function listen(changes: AsyncIterable<unknown>, bell: Bell): Promise<void> {
  try {
    const iterator = changes[Symbol.asyncIterator]();
    while (!(await iterator.next()).done) bell.ring();
  } catch (error) {
    throw new BrokenOffError(error);
  } finally {
    bell.end();
  }
}

/** Rung any number of times, heard once. */
class Bell {
  over = false;
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  end(): void {
    this.over = true;
    this.#wake?.();
  }

  clear(): void {
    this.#rung = false;
  }

  async wait(ms: number, signal: AbortSignal): Promise<'changed' | 'time' | 'over'> {
    if (!this.#rung && !this.over) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await pause(ms, AbortSignal.any([signal, woken.signal]));
      this.#wake = undefined;
    }
    if (this.over) return 'over';
    return this.#rung ? 'changed' : 'time';
  }
}
