import { setTimeout as sleep } from 'node:timers/promises';
import { SwarmError } from './errors.ts';

/** Waits `ms`; returns early, without throwing, when the signal fires. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // Only an abort ends a sleep early; the caller looks at its signal.
  }
}

/** Resolves with the promise's value, or rejects with a `timeout` error after `ms`. The work itself goes on. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SwarmError('timeout', `${what} did not answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The promise's value, or a rejection with the signal's reason when that fires first. The work itself goes on. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => undefined);
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Runs `task` over `items`, at most `limit` at a time; rejects with the first failure. */
export async function eachLimited<T>(
  items: Iterable<T>,
  limit: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await task(next.value);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

/** Delay before attempt `n` (from 0): doubles from `firstMs` up to `maxMs`, with up to a quarter of jitter. */
export function backoffMs(attempt: number, firstMs: number, maxMs: number, random: () => number): number {
  const plain = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));
  return plain * (0.75 + random() * 0.25);
}
