import { SwarmError } from '../base/errors.ts';
import { SCHEMES, type DiscoverySpec, type Scheme } from './types.ts';

/**
 * Cuts a `<discovery>` argument at its scheme; without one it is a list of nodes. Throws `invalid` for a scheme that is
 * not known and for one with nothing behind it. The rest is read by `openDiscovery`.
 */
export function parseDiscovery(text: string): DiscoverySpec {
  const input = text.trim();
  const cut = input.indexOf('://');
  const scheme = cut === -1 ? 'nodes' : input.slice(0, cut);
  const rest = cut === -1 ? input : input.slice(cut + '://'.length);
  if (!isScheme(scheme)) throw new SwarmError('invalid', unknownScheme(scheme, input));
  if (rest === '') throw new SwarmError('invalid', `nothing follows ${scheme}:// in the discovery argument`);
  if (scheme === 'etcd' || scheme === 'consul' || scheme === 'zk') checkStoreAddresses(scheme, rest);
  return { scheme, rest };
}

function isScheme(word: string): word is Scheme {
  return SCHEMES.some((scheme) => scheme === word);
}

function unknownScheme(scheme: string, input: string): string {
  const known = `"${scheme}"; the forms are ${SCHEMES.map((name) => `${name}://`).join(', ')}`;
  const meant = scheme === 'unix' || scheme === 'tcp' ? `; an engine is given as nodes://${input}` : '';
  return `discovery service not supported: ${known}${meant}`;
}

/** `ip1,ip2/path`: the stores' addresses, a port is optional. */
function checkStoreAddresses(scheme: Scheme, rest: string): void {
  const slash = rest.indexOf('/');
  const addresses = (slash === -1 ? rest : rest.slice(0, slash)).split(',');
  for (const address of addresses) {
    const port = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(address);
    if (!port || Number(port[1] ?? 1) < 1 || Number(port[1] ?? 1) > 65535)
      throw new SwarmError('invalid', `invalid ${scheme} address "${address}": expected host or host:port`);
  }
  if (scheme === 'consul' && addresses.length > 1)
    throw new SwarmError('invalid', 'consul:// takes one address, of any server or agent of the cluster');
}
