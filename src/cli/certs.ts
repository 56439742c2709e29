import { SwarmError } from '../base/errors.ts';
import type { FlagValues } from './flags.ts';

/** Makes what `swarm certs` is asked for, and gives the lines it prints. */
export async function makeCertificates(_values: FlagValues, _args: readonly string[]): Promise<string> {
  throw new SwarmError('unsupported', 'swarm certs is not available yet');
}
