import { isIPv4, isIPv6 } from 'node:net';

/** An address as a number of its family. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** A block of addresses; `base` is its first. */
export interface Cidr {
  readonly family: 4 | 6;
  readonly base: bigint;
  readonly prefix: number;
}

/** How many bits an address has. */
export function widthOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

/** Reads an address without a zone; undefined when it is none. An IPv4 address written as IPv6 stays IPv6. */
export function parseIp(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { family: 4, value: valueOfV4(text) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const plain = tail ? `${tail[1]}${hexPair(valueOfV4(tail[2] ?? ''))}` : text;
  const [head = '', rest] = plain.split('::');
  const before = groups(head);
  const after = rest === undefined ? [] : groups(rest);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  const value = [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
  return { family: 6, value };
}

/**
 * Reads `address/prefix`; undefined when it is none. `address` is the one that was written, which may lie inside the
 * block.
 */
export function parseCidr(text: string): { readonly block: Cidr; readonly address: bigint } | undefined {
  const [, left = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const address = parseIp(left);
  const prefix = Number(bits);
  if (!address || prefix > widthOf(address.family)) return undefined;
  const { family, value } = address;
  return { block: blockAt(family, value, prefix), address: value };
}

/** The block of that size that an address lies in. */
export function blockAt(family: 4 | 6, address: bigint, prefix: number): Cidr {
  const hostBits = BigInt(widthOf(family) - prefix);
  return { family, base: (address >> hostBits) << hostBits, prefix };
}

/** How many addresses a block has. */
export function sizeOf({ family, prefix }: Cidr): bigint {
  return 1n << BigInt(widthOf(family) - prefix);
}

export function holds(block: Cidr, { family, value }: IpAddress): boolean {
  return family === block.family && value >= block.base && value < block.base + sizeOf(block);
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.base < b.base + sizeOf(b) && b.base < a.base + sizeOf(a);
}

/** As Docker writes it: IPv6 with its longest row of zeros left out. */
export function formatIp({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const parts = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  const zeros = longestZeros(parts);
  if (zeros.length < 2) return parts.join(':');
  return `${parts.slice(0, zeros.at).join(':')}::${parts.slice(zeros.at + zeros.length).join(':')}`;
}

export function formatCidr({ family, base, prefix }: Cidr): string {
  return `${formatIp({ family, value: base })}/${prefix}`;
}

function valueOfV4(text: string): bigint {
  return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function hexPair(value: bigint): string {
  return `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
}

function groups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => parseInt(group, 16));
}

function longestZeros(parts: readonly string[]): { at: number; length: number } {
  let best = { at: 0, length: 0 };
  let length = 0;
  for (const [i, part] of parts.entries()) {
    length = part === '0' ? length + 1 : 0;
    if (length > best.length) best = { at: i + 1 - length, length };
  }
  return best;
}
