import { isIPv4, isIPv6 } from 'node:net';
import { SwarmError } from '../base/errors.ts';
import { canonicalAddress } from './judge.ts';

/** A name a certificate is good for. */
export interface CertName {
  type: 'dns' | 'ip';
  value: string;
}

/** A node, as it was named: at least one name, no duplicates. */
export interface NodeNames {
  /** The first name, fit for a path on every system and in `docker -v`: without colons. */
  folder: string;
  names: readonly CertName[];
}

const NAME_MAX_LENGTH = 253;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Reads `name,address,…`. Throws `invalid`, naming the part that is no host name and no IP address. */
export function parseNodeNames(text: string): NodeNames {
  const parts = text.split(',').map((part) => part.trim());
  const names = new Map<string, CertName>();
  for (const part of parts) {
    const name = parseName(part, text);
    names.set(name.value, name);
  }
  const [first] = names.values();
  if (!first) throw bad(text, 'no name in it');
  return { folder: first.value.replaceAll(':', '-'), names: [...names.values()] };
}

function parseName(part: string, text: string): CertName {
  if (part === '') throw bad(text, 'an empty name in it');
  const bare = /^\[(.*)\]$/.exec(part)?.[1] ?? part;
  if (isIPv4(bare)) return { type: 'ip', value: bare };
  if (isIPv6(bare)) {
    if (bare.includes('%')) throw bad(part, 'an address with a zone is good on one machine only');
    return { type: 'ip', value: canonicalAddress(bare) };
  }
  if (part.includes('://')) throw bad(part, 'a name or an address is meant, not a URL');
  if (/^(\[.*\]|[^:]*):\d+$/.test(part)) throw bad(part, 'a certificate has names without ports');
  if (part.includes('*')) throw bad(part, 'a wildcard would let every node speak for all; name each node');
  if (/^[\d.]+$/.test(part)) throw bad(part, 'not an IPv4 address');
  const name = part.toLowerCase().replace(/\.$/, '');
  if (name.length > NAME_MAX_LENGTH || !name.split('.').every((label) => LABEL.test(label)))
    throw bad(part, 'neither a host name nor an IP address');
  return { type: 'dns', value: name };
}

function bad(part: string, why: string): SwarmError {
  return new SwarmError('invalid', `invalid --host ${JSON.stringify(part)}: ${why}`);
}
