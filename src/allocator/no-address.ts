import type { Network } from '../model/index.ts';
import { formatCidr, holds, parseIp } from '../base/cidr.ts';
import type { AddressBook } from './address-book.ts';
import { namedAddressKey, networkKey, waitFor, type Wait } from './plan.ts';
import { RESERVED } from './subnet-addresses.ts';

/**
 * What waits for an address of a network that has none left, in words that stay the same until that changes. `kept` is how many
 * are left to nodes.
 */
export function noAddress(book: AddressBook, { id, spec }: Network, kept = 0): Wait {
  const addresses = book.network(id);
  if (!addresses) return waitFor(networkKey(id));
  const subnets = addresses.blocks.map(formatCidr).join(', ');
  const advice =
    'remove or scale down what is on it, or use a network with a larger subnet (docker network create --subnet)';
  return waitFor(
    networkKey(id),
    `no address is left on network ${spec.annotations.name}: ${subnets} holds ${addresses.room.capacity}, and all ${kept > 0 ? `but ${kept}, which nodes may need, ` : ''}are taken; ${advice}`,
  );
}

/** What waits for an address that its user has named, and that can't be had. Docker's words, and who has it. */
export function addressTaken(book: AddressBook, { id, spec }: Network, wanted: readonly string[]): Wait {
  const addresses = book.network(id);
  if (!addresses) return waitFor(networkKey(id));
  const { name } = spec.annotations;
  const faults = wanted.flatMap((text) => {
    const holder = addresses.holder(text);
    if (holder !== undefined) return `Address already in use: ${text} of network ${name} ${useOf(holder)}`;
    const address = parseIp(text);
    if (address && addresses.blocks.some((block) => holds(block, address))) return [];
    const subnets = addresses.blocks.map(formatCidr).join(', ');
    return `requested address is out of range: ${text} is not of network ${name}, which has ${subnets}`;
  });
  return waitFor(namedAddressKey(id), faults.join('; '));
}

function useOf(holder: string): string {
  if (holder === RESERVED) return 'is its gateway or kept for other use';
  const [kind, id] = holder.split('/');
  if (kind === 'service') return `is the virtual IP of service ${id}`;
  if (kind === 'node') return `is the load balancer's of node ${id}`;
  return `belongs to task ${id}`;
}
