import type { Network } from '../model/index.ts';
import { formatCidr } from '../base/cidr.ts';
import type { AddressBook } from './address-book.ts';
import { networkKey, waitFor, type Wait } from './plan.ts';

/** What waits for an address of a network that has none left, in words that stay the same until that changes. */
export function noAddress(book: AddressBook, { id, spec }: Network): Wait {
  const addresses = book.network(id);
  if (!addresses) return waitFor(networkKey(id));
  const subnets = addresses.blocks.map(formatCidr).join(', ');
  const advice =
    'remove or scale down what is on it, or use a network with a larger subnet (docker network create --subnet)';
  return waitFor(
    networkKey(id),
    `no address is left on network ${spec.annotations.name}: ${subnets} holds ${addresses.room.capacity}, and all are taken; ${advice}`,
  );
}
