import { Bell } from '../../base/bell.ts';
import { messageOf } from '../../base/errors.ts';
import type { LoopContext } from '../loop-context.ts';

/** A disk that was full has room again at some time. */
const RETRY_MS = 30_000;

/** Seals or opens the rows of the state whenever its lock was changed, or where that was cut off, until the signal fires. */
export async function runSealing({ store, times, log }: LoopContext, signal: AbortSignal): Promise<void> {
  const { lock } = store;
  const changed = new Bell();
  const end = lock.onSeal(() => changed.ring());
  try {
    for (let trouble = ''; !signal.aborted;) {
      const wasSettled = lock.isSettled;
      try {
        await lock.settle();
        trouble = '';
        if (!wasSettled) log.info('The state at rest is as its lock wants it');
        await changed.heard(signal);
      } catch (error) {
        if (signal.aborted) return;
        const words = messageOf(error);
        if (words !== trouble)
          log.warn({ err: words }, 'The state could not be sealed or opened; it is tried again');
        trouble = words;
        await times.pause(RETRY_MS, signal);
      }
    }
  } finally {
    end();
  }
}
