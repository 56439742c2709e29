import { SwarmError } from '../base/errors.ts';
import type { FlagValues } from './flags.ts';
import { storeOptions } from './store-options.ts';

/** A new token of the token service. Throws `invalid` for wrong input, `unavailable` where the service does not answer. */
export async function createToken(
  values: FlagValues,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string> {
  if (args.length > 0)
    throw new SwarmError('invalid', "the `create` command takes no arguments. See 'swarm create --help'.");
  storeOptions(values.list('discovery-opt'), env);
  throw new SwarmError('unsupported', 'swarm create is not available yet');
}
