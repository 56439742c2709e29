import type { NodeSettings } from './engine-node.ts';

/** How long an engine may take to answer that it is there. */
export const PING_TIMEOUT_MS = 3_000;
/** The pause between two tries at an engine that fails: doubles from the first to the last. */
export const RETRY_FIRST_MS = 500;
export const RETRY_MAX_MS = 10_000;
/** On top of each pause. */
export const RETRY_REST_MS = 500;

/**
 * How long it takes at most until an engine that has fallen silent without a word, as by a loss of power, is Unhealthy:
 * the longest wait for the next refresh, and as many unanswered pings as make it so, with the pauses between them.
 * Anything that is asked of the engine meanwhile makes it sooner, and so does a connection that is refused.
 */
export function detectionMs({ refreshMaxMs, failureRetry }: NodeSettings): number {
  let totalMs = refreshMaxMs + failureRetry * PING_TIMEOUT_MS;
  for (let failures = 1; failures < failureRetry; failures += 1) {
    totalMs += RETRY_REST_MS + Math.min(refreshMaxMs, RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** failures);
  }
  return totalMs;
}
