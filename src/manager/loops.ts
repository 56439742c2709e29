import { messageOf } from '../base/errors.ts';
import type { LoopContext } from '../store/index.ts';

export type Loop = (signal: AbortSignal) => Promise<void>;

const RESTART_MS = 1_000;

/** Runs loops side by side until the signal fires; resolves when all have ended. One that fails is started again. */
export async function runLoops(
  { times, log }: LoopContext,
  loops: Readonly<Record<string, Loop>>,
  signal: AbortSignal,
): Promise<void> {
  const keep = async ([name, loop]: [string, Loop]): Promise<void> => {
    while (!signal.aborted) {
      try {
        await loop(signal);
        if (!signal.aborted) log.error({ loop: name }, 'a loop of the manager ended; it is started again');
      } catch (error) {
        log.error({ loop: name, err: messageOf(error) }, 'a loop of the manager failed; it is started again');
      }
      await times.pause(RESTART_MS, signal);
    }
  };
  await Promise.all(Object.entries(loops).map(keep));
}
