import { SwarmError } from '../../base/errors.ts';
import { formatCidr, holds, overlaps, parseCidr, parseIp, type Cidr } from '../../base/cidr.ts';
import { unusable } from '../../allocator/index.ts';
import type { IpamConfig } from '../../model/index.ts';

/** Throws `invalid`, naming in Docker's words all that is wrong with the addresses of a network. */
export function checkIpam(configs: readonly IpamConfig[], ipv6: boolean): void {
  const faults = configs.flatMap((config) => faultsOf(config, ipv6));
  if (faults.length > 0) throw new SwarmError('invalid', `invalid network config:\n${faults.join('\n')}`);
  const blocks = subnetBlocks(configs);
  for (const [i, one] of blocks.entries())
    for (const other of blocks.slice(i + 1))
      if (overlaps(one, other))
        throw new SwarmError(
          'invalid',
          `invalid network config:\nsubnets ${formatCidr(one)} and ${formatCidr(other)} overlap`,
        );
}

/** The subnets that a user names. */
export function subnetBlocks(configs: readonly IpamConfig[]): Cidr[] {
  return configs.flatMap(({ subnet }) => parseCidr(subnet)?.block ?? []);
}

function faultsOf({ subnet, range, gateway, reserved }: IpamConfig, ipv6: boolean): string[] {
  const read = parseCidr(subnet);
  if (!read) return [`invalid subnet ${subnet}: invalid CIDR block notation`];
  const { block } = read;
  if (block.family === 6 && !ipv6) return [];
  const faults: string[] = [];
  if (read.address !== block.base) faults.push(`invalid subnet ${subnet}: it should be ${formatCidr(block)}`);
  faults.push(...rangeFaults(range, block));
  const wrong = addressFault(gateway, block) ?? hostFault(gateway, block);
  if (wrong !== undefined) faults.push(`invalid gateway ${gateway}: ${wrong}`);
  for (const [name, address] of Object.entries(reserved)) {
    const fault = addressFault(address, block);
    if (fault !== undefined) faults.push(`invalid auxiliary address ${name}: ${fault}`);
  }
  return faults;
}

function rangeFaults(range: string, subnet: Cidr): string[] {
  if (range === '') return [];
  const read = parseCidr(range);
  if (!read) return [`invalid ip-range ${range}: invalid CIDR block notation`];
  const { block } = read;
  if (block.family !== subnet.family)
    return [`invalid ip-range ${range}: parent subnet is an IPv${subnet.family} block`];
  const parent = formatCidr(subnet);
  const faults: string[] = [];
  if (block.prefix < subnet.prefix)
    faults.push(`invalid ip-range ${range}: CIDR block is bigger than its parent subnet ${parent}`);
  if (read.address !== block.base)
    faults.push(`invalid ip-range ${range}: it should be ${formatCidr(block)}`);
  if (!overlaps(block, subnet))
    faults.push(`invalid ip-range ${range}: parent subnet ${parent} doesn't contain ip-range`);
  return faults;
}

/** SwarmKit takes such a gateway, and then never allocates the network. */
function hostFault(text: string, subnet: Cidr): string | undefined {
  const address = parseIp(text);
  if (!address || !unusable(subnet).includes(address.value)) return undefined;
  return `no host of ${formatCidr(subnet)} can have this address`;
}

function addressFault(text: string, subnet: Cidr): string | undefined {
  if (text === '') return undefined;
  const address = parseIp(text);
  if (!address) return 'invalid address';
  if (address.family !== subnet.family) return `parent subnet is an IPv${subnet.family} block`;
  if (!holds(subnet, address)) return `parent subnet ${formatCidr(subnet)} doesn't contain this address`;
  return undefined;
}
