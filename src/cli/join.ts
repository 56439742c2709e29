import { SwarmError } from '../base/errors.ts';
import { isAdvertisable } from './advertise-address.ts';
import { discoveryArgument } from './discovery-argument.ts';
import { durationFlag, heartbeatFlag } from './durations.ts';
import type { FlagValues } from './flags.ts';
import { discoveryOpts } from './key-values.ts';

/** Checks what `swarm join` was told. Throws `invalid`, and `unsupported` where all is well: registering is not built. */
export function checkJoin(values: FlagValues, args: readonly string[], env: NodeJS.ProcessEnv): never {
  discoveryArgument('join', args, env);
  const advertise = values.text('advertise');
  if (advertise === '') throw new SwarmError('invalid', 'missing mandatory --advertise flag');
  if (!isAdvertisable(advertise))
    throw new SwarmError('invalid', '--advertise should be of the form ip:port or hostname:port');
  if (durationFlag(values, 'delay') < 0)
    throw new SwarmError('invalid', '--delay should not be a negative number');
  const heartbeatMs = heartbeatFlag(values);
  if (durationFlag(values, 'ttl') <= heartbeatMs)
    throw new SwarmError('invalid', '--ttl must be strictly superior to the heartbeat value');
  discoveryOpts(values.list('discovery-opt'));
  throw new SwarmError('unsupported', 'swarm join is not available yet');
}
