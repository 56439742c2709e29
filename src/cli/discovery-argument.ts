import { SwarmError } from '../base/errors.ts';
import { parseDiscovery, type DiscoverySpec } from '../discovery/index.ts';

/**
 * The discovery of a command: its one argument, else SWARM_DISCOVERY. Throws `invalid` where there is none or it cannot be read.
 */
export function discoveryArgument(
  command: 'list' | 'manage' | 'join',
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): DiscoverySpec {
  const text = args.length === 0 ? (env['SWARM_DISCOVERY'] ?? '') : args[0];
  const required = `discovery required to ${command} a cluster`;
  if (args.length > 1)
    throw new SwarmError(
      'invalid',
      `${required}: one argument, not ${args.length} (${withoutTokens(args.join(' '))}). See 'swarm ${command} --help'.`,
    );
  if (!text) throw new SwarmError('invalid', `${required}. See 'swarm ${command} --help'.`);
  return parseDiscovery(text);
}

/** A token is all that protects its cluster's list, and messages go to logs. */
function withoutTokens(text: string): string {
  return text.replaceAll(/[0-9a-f]{32}/gi, '(token)');
}
