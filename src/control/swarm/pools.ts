import { isIPv4 } from 'node:net';
import { SwarmError } from '../../base/errors.ts';

const DEFAULT_SIZE = 24;
/** A /29 has eight addresses, the fewest that an overlay network can live with. */
const MAX_SIZE = 29;
const MAX_POOLS = 64;

/** Where overlay networks get their subnets. */
export interface AddressPools {
  /** `a.b.c.d/n`, the address being that of the network. */
  readonly pools: readonly string[];
  readonly size: number;
}

/**
 * Checks the pools of `--default-addr-pool` and the prefix length of `--default-addr-pool-mask-length`; undefined where
 * none are given. Throws `invalid`, in Docker's words where it has some.
 */
export function readPools(texts: readonly string[], size = 0): AddressPools | undefined {
  if (texts.length === 0) return undefined;
  const length = size === 0 ? DEFAULT_SIZE : size;
  if (length > MAX_SIZE) throw invalid(`subnet size is out of range: ${length}`);
  if (texts.length > MAX_POOLS) throw invalid(`at most ${MAX_POOLS} default address pools can be given`);
  const pools = texts.map((text) => readPool(text, length));
  for (const [at, one] of pools.entries())
    for (const other of pools.slice(at + 1))
      if (one.from <= other.until && other.from <= one.until)
        throw invalid(`invalid default address pool ${other.text}: it overlaps with ${one.text}`);
  return { pools: pools.map(({ text }) => text), size: length };
}

interface Pool {
  readonly text: string;
  readonly from: number;
  readonly until: number;
}

function readPool(text: string, size: number): Pool {
  const [, ip = '', bits = ''] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  if (!isIPv4(ip) || Number(bits) > 32)
    throw invalid(`invalid default address pool ${JSON.stringify(text)}: invalid CIDR address: ${text}`);
  const prefix = Number(bits);
  if (size < prefix)
    throw invalid(`invalid CIDR: ${JSON.stringify(text)}. Subnet size is too small for pool: ${size}`);
  const span = 2 ** (32 - prefix);
  const address = ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const from = address - (address % span);
  const shown = [24, 16, 8, 0].map((shift) => Math.floor(from / 2 ** shift) % 256).join('.');
  return { text: `${shown}/${prefix}`, from, until: from + span - 1 };
}

function invalid(message: string): SwarmError {
  return new SwarmError('invalid', message);
}
