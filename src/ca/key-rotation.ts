import { messageOf } from '../base/errors.ts';
import type { Cluster } from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import { rotateNetworkKeys } from './network-keys.ts';

/** SwarmKit's own. */
export const KEY_ROTATION_MS = 12 * 3600_000;
/** The wall clock may jump, so no wait is longer. */
const LOOK_MS = 10 * 60_000;

/**
 * Changes the network keys every twelve hours until the signal fires. Counted from the last change as it is stored: a
 * manager that restarts often would else change them under nodes that are away, which know three only.
 */
export async function runKeyRotation(
  { store, times, log }: LoopContext,
  signal: AbortSignal,
  everyMs = KEY_ROTATION_MS,
): Promise<void> {
  while (!signal.aborted) {
    const cluster = store.view.cluster();
    if (cluster && dueInMs(cluster, times.wallMs(), everyMs) <= 0) {
      try {
        await store.update((tx) => {
          const now = tx.cluster();
          const atMs = times.wallMs();
          if (!now || dueInMs(now, atMs, everyMs) > 0) return;
          const networkKeys = rotateNetworkKeys(now.networkKeys);
          tx.update('cluster', { ...now, networkKeys, networkKeysAtMs: atMs });
        });
        log.debug('network keys changed');
      } catch (error) {
        log.warn({ error: messageOf(error) }, 'the network keys could not be changed; the old ones stay');
      }
    }
    await times.pause(Math.min(LOOK_MS, everyMs), signal);
  }
}

function dueInMs({ networkKeysAtMs, meta }: Cluster, nowMs: number, everyMs: number): number {
  return (networkKeysAtMs ?? meta.createdAtMs) + everyMs - nowMs;
}
