import { SwarmError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { JoinOptions } from './join-options.ts';

/** Registers until the signal fires. */
export async function runJoin(
  _options: JoinOptions,
  _world: { signal: AbortSignal; log: Logger },
): Promise<void> {
  throw new SwarmError('unsupported', 'swarm join is not available yet');
}
