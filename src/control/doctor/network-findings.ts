import { parseCidr, holds, overlaps, parseIp, type Cidr } from '../../base/cidr.ts';
import { readVxlanIds, VXLAN_OPTION } from '../../allocator/index.ts';
import type { DoctorFinding, Network } from '../../model/index.ts';
import { handful } from '../handful.ts';
import { fault, warning } from './finding.ts';

/** Of a host: an address, and the device that has it. */
export interface HostAddress {
  readonly device: string;
  readonly ip: string;
}

/**
 * What is wrong between networks: a subnet or a VXLAN id that two have, a subnet that this manager's host is in itself. The
 * allocator gives nothing twice; a state that was restored or changed by hand may have it.
 */
export function networkFindings(
  networks: Iterable<Network>,
  hostAddresses: readonly HostAddress[],
): readonly DoctorFinding[] {
  const found: DoctorFinding[] = [];
  const blocks: { readonly name: string; readonly subnet: string; readonly block: Cidr }[] = [];
  const owners = new Map<number, string>();
  for (const network of networks) {
    const { name } = network.spec.annotations;
    for (const { subnet } of network.allocated?.ipam.configs ?? []) {
      const block = parseCidr(subnet)?.block;
      if (!block) continue;
      const other = blocks.find((one) => overlaps(one.block, block));
      if (other)
        found.push(
          fault(
            `network ${name}`,
            `Its subnet ${subnet} overlaps ${other.subnet} of ${other.name}: remove one of them`,
          ),
        );
      found.push(...heldByHost(name, subnet, block, hostAddresses));
      blocks.push({ name, subnet, block });
    }
    for (const id of vxlanIdsOf(network)) {
      const owner = owners.get(id);
      if (owner !== undefined && owner !== name)
        found.push(
          fault(`network ${name}`, `Its VXLAN id ${id} is that of ${owner} too: remove one of them`),
        );
      owners.set(id, name);
    }
  }
  return found;
}

function heldByHost(
  name: string,
  subnet: string,
  block: Cidr,
  hostAddresses: readonly HostAddress[],
): DoctorFinding[] {
  const inside = hostAddresses.filter(({ ip }) => {
    const address = parseIp(ip);
    return address !== undefined && holds(block, address);
  });
  if (inside.length === 0) return [];
  const devices = handful(inside.map(({ device, ip }) => `${ip} (${device})`));
  return [
    warning(
      `network ${name}`,
      `Its subnet ${subnet} holds an address of this manager's host, ${devices}: containers on it can't reach what is there`,
    ),
  ];
}

function vxlanIdsOf({ allocated }: Network): readonly number[] {
  const options = allocated?.driver.options ?? {};
  const text = Object.hasOwn(options, VXLAN_OPTION) ? options[VXLAN_OPTION] : undefined;
  return (text === undefined ? undefined : readVxlanIds(text)) ?? [];
}
