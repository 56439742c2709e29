import { pause } from '../../base/async.ts';
import { EngineClient } from '../../engine/index.ts';
import { PING_TIMEOUT_MS } from '../pool/detection.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import type { Pool } from '../pool/pool.ts';

const BETWEEN_MS = 1_000;

/**
 * Whether the engine of a node that has just left the pool answers: it is asked as often as it takes to call an engine
 * unhealthy. False, too, when the signal fires.
 */
export async function stillAnswers(
  pool: Pool,
  { address }: EngineNode,
  signal: AbortSignal,
): Promise<boolean> {
  const client = new EngineClient(address, pool.settings.tls);
  try {
    for (let tries = 0; tries < pool.settings.failureRetry && !signal.aborted; tries += 1) {
      if (tries > 0) await pause(BETWEEN_MS, signal);
      const alive = await client.call('/_ping', { signal, timeoutMs: PING_TIMEOUT_MS }).then(
        () => true,
        () => false,
      );
      if (alive) return true;
    }
    return false;
  } finally {
    await client.close();
  }
}
