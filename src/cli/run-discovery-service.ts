import { SwarmError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { DiscoveryServiceOptions } from './discovery-service.ts';

/** Serves tokens until the signal fires. */
export async function runDiscoveryService(
  _options: DiscoveryServiceOptions,
  _world: { signal: AbortSignal; log: Logger },
): Promise<void> {
  throw new SwarmError('unsupported', 'swarm discovery is not available yet');
}
