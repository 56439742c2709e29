import type { FlagValues } from './flags.ts';

/** What `swarm discovery` was told, read and checked. */
export type DiscoveryServiceOptions = Record<string, never>;

/** Reads the flags of `discovery`. Throws `invalid`. */
export function discoveryServiceOptions(
  _values: FlagValues,
  _args: readonly string[],
  _env: NodeJS.ProcessEnv,
): DiscoveryServiceOptions {
  return {};
}
