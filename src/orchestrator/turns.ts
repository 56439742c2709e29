import { backoffMs } from '../base/async.ts';
import type { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import type { LoopContext } from '../store/index.ts';

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

/** A loop that takes turns: what is to be looked at is gathered between them. */
export interface Turns {
  /** For the log: what is taking them. */
  readonly name: string;
  /** Has everything looked at: at the start, and after something could not be written. */
  lookAtEverything(): void;
  /** Looks at what was gathered, and writes what follows. Rejects when nothing can be written. */
  turn(): Promise<void>;
}

/** Takes a turn at the start and after each ring, until the signal fires. */
export async function runTurns(
  { times, log }: LoopContext,
  turns: Turns,
  bell: Bell,
  signal: AbortSignal,
  random: () => number = Math.random,
): Promise<void> {
  turns.lookAtEverything();
  let failures = 0;
  do {
    try {
      await turns.turn();
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      log.error({ err: messageOf(error) }, `${turns.name} could not write what it decided`);
      await times.pause(backoffMs(failures++, FIRST_RETRY_MS, LAST_RETRY_MS, random), signal);
      turns.lookAtEverything();
      bell.ring();
    }
  } while (await bell.heard(signal));
}
