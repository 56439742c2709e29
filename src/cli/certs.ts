import { resolve } from 'node:path';
import { SwarmError } from '../base/errors.ts';
import { certify, parseNodeNames, type CertifyRequest } from '../certs/index.ts';
import { certsPage } from './certs-page.ts';
import type { FlagValues } from '../base/flags.ts';

const MAX_DAYS = 36_500;

/**
 * Makes what `swarm certs` is asked for, and gives the lines it prints. Throws `invalid` for wrong input, `unavailable`
 * where a CA or a pair that is there is no good, or a file cannot be read or written.
 */
export async function makeCertificates(values: FlagValues, args: readonly string[]): Promise<string> {
  const nowMs = Date.now();
  return certsPage(await certify({ ...requestOf(values, args), nowMs }), nowMs);
}

/** `--host a,b c,d` names two nodes as `--host a,b --host c,d` does. */
function requestOf(values: FlagValues, args: readonly string[]): Omit<CertifyRequest, 'nowMs'> {
  const ca = values.text('ca');
  if (ca === '')
    throw new SwarmError('invalid', "--ca must name the folder of the CA. See 'swarm certs --help'.");
  const hosts = values.list('host');
  if (args.length > 0 && hosts.length === 0)
    throw new SwarmError('invalid', `nodes are named by --host: --host ${args.join(' ')}`);
  const days = Number(values.text('days'));
  if (days < 1 || days > MAX_DAYS)
    throw new SwarmError('invalid', `--days should be a number from 1 to ${MAX_DAYS}`);
  return {
    caFolder: resolve(ca),
    outFolder: resolve(values.text('out') || ca),
    nodes: [...hosts, ...args].map(parseNodeNames),
    days,
    force: values.bool('force'),
  };
}
