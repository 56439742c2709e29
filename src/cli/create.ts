import { SwarmError } from '../base/errors.ts';

/** `swarm create` takes nothing, and gives nothing yet. Throws `invalid` or `unsupported`. */
export function checkCreate(args: readonly string[]): never {
  if (args.length > 0)
    throw new SwarmError('invalid', "the `create` command takes no arguments. See 'swarm create --help'.");
  throw new SwarmError('unsupported', 'swarm create is not available yet');
}
