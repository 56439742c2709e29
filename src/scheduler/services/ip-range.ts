import { blockAt, type Cidr, holds, type IpAddress, parseCidr, parseIp, widthOf } from '../../base/cidr.ts';

/** The IPv4 addresses as IPv6 has them: `::ffff:a.b.c.d`. */
const MAPPED = { prefix: 96, value: 0xffffn } as const;

/**
 * What tells whether an address is the one, or in the subnet `a.b.c.d/n`, that a text names; undefined when it names
 * neither. An IPv4 address written as IPv6 is the same address. What is no address is nowhere.
 */
export function ipRange(text: string): ((address: string) => boolean) | undefined {
  const block = blockOf(text);
  if (!block) return undefined;
  return (candidate) => {
    const address = parseIp(candidate);
    return address !== undefined && holds(block, unmapped(address));
  };
}

function blockOf(text: string): Cidr | undefined {
  const address = parseIp(text);
  if (address) {
    const { family, value } = unmapped(address);
    return blockAt(family, value, widthOf(family));
  }
  const block = parseCidr(text)?.block;
  if (!block || block.prefix < MAPPED.prefix) return block;
  const { family, value } = unmapped({ family: block.family, value: block.base });
  return family === block.family ? block : blockAt(family, value, block.prefix - MAPPED.prefix);
}

function unmapped(address: IpAddress): IpAddress {
  if (address.family === 4 || address.value >> 32n !== MAPPED.value) return address;
  return { family: 4, value: address.value & 0xffffffffn };
}
