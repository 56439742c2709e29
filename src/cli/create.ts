import { SwarmError } from '../base/errors.ts';
import { createToken as createClusterToken } from '../discovery/index.ts';
import type { FlagValues } from '../base/flags.ts';
import { storeOptions, unusedOptions } from './store-options.ts';

/** A new token of the token service; `warn` gets whole sentences. Throws `invalid` for wrong input, `unavailable` where the service does not answer. */
export async function createToken(
  values: FlagValues,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  warn: (sentence: string) => void,
): Promise<string> {
  if (args.length > 0)
    throw new SwarmError('invalid', "the `create` command takes no arguments. See 'swarm create --help'.");
  const store = storeOptions(values.list('discovery-opt'), env);
  unusedOptions(values.list('discovery-opt'), { scheme: 'token', rest: '' }).forEach(warn);
  return createClusterToken(store, { signal: new AbortController().signal });
}
