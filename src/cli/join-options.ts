import { SwarmError } from '../base/errors.ts';
import { isHostPort } from '../base/host-port.ts';
import type { DiscoverySpec, StoreOptions } from '../discovery/index.ts';
import { discoveryArgument } from './discovery-argument.ts';
import { durationFlag, heartbeatFlag } from './durations.ts';
import type { FlagValues } from '../base/flags.ts';
import { storeOptions, unusedOptions } from './store-options.ts';

/** What `swarm join` was told, read and checked. */
export interface JoinOptions {
  discovery: DiscoverySpec;
  store: StoreOptions;
  advertise: string;
  heartbeatMs: number;
  ttlMs: number;
  delayMs: number;
  /** What is accepted, but not as it was meant. */
  warnings: readonly string[];
}

/** Reads the flags of `join`. Throws `invalid` in the original's words. */
export function joinOptions(
  values: FlagValues,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): JoinOptions {
  const discovery = discoveryArgument('join', args, env);
  const advertise = values.text('advertise');
  if (advertise === '') throw new SwarmError('invalid', 'missing mandatory --advertise flag');
  if (!isHostPort(advertise))
    throw new SwarmError('invalid', '--advertise should be of the form ip:port or hostname:port');
  const delayMs = durationFlag(values, 'delay');
  if (delayMs < 0) throw new SwarmError('invalid', '--delay should not be a negative number');
  const heartbeatMs = heartbeatFlag(values);
  const ttlMs = durationFlag(values, 'ttl');
  if (ttlMs <= heartbeatMs)
    throw new SwarmError('invalid', '--ttl must be strictly superior to the heartbeat value');
  const store = storeOptions(values.list('discovery-opt'), env);
  const hosts = values.list('host');
  const warnings = unusedOptions(values.list('discovery-opt'), discovery);
  if (hosts.length > 0)
    warnings.push(
      `--host ${hosts.join(',')} is not used: an agent listens nowhere, it names its engine with --advertise (here ${advertise})`,
    );
  return { discovery, store, advertise, heartbeatMs, ttlMs, delayMs, warnings };
}
