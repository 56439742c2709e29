import { formatCidr, formatIp, parseCidr, parseIp, type Cidr } from '../base/cidr.ts';
import type { Cluster, IpamConfig, Network, NetworkSpec } from '../model/index.ts';
import type { AddressBook } from './address-book.ts';
import { NOTHING, SUBNETS, VXLAN_IDS, waitFor, type Plan, type Wait } from './plan.ts';
import { unusable } from './subnet-addresses.ts';
import { addressPool, poolSize } from './subnet-space.ts';
import { readVxlanIds, VXLAN_OPTION } from './vxlan-ids.ts';

type Allocated = NonNullable<Network['allocated']>;

/** The subnets, gateways and VXLAN ids of a network that has none yet; they are taken in the book. */
export function planNetwork(
  book: AddressBook,
  cluster: Cluster | undefined,
  { id, spec, allocated }: Network,
): Plan<Allocated> {
  if (allocated || spec.nodeLocal) return NOTHING;
  if (!cluster) return waitFor(SUBNETS);
  // What a try before this one took and could not write.
  book.forgetPlan(id);
  const configs: IpamConfig[] = [];
  for (const wish of wishesOf(spec)) {
    const block = takeSubnet(book, cluster, id, spec, wish);
    if ('kind' in block) return undo(book, id, block);
    configs.push({ ...wish, subnet: formatCidr(block), gateway: wish.gateway || gatewayOf(block, wish) });
  }
  const ids = takeVxlanIds(book, id, spec, configs.filter(({ subnet }) => !subnet.includes(':')).length);
  if ('kind' in ids) return undo(book, id, ids);
  const { driver, ipam } = spec;
  return {
    kind: 'write',
    value: {
      driver: {
        name: driver?.name || 'overlay',
        options: { ...driver?.options, [VXLAN_OPTION]: ids.join(',') },
      },
      ipam: {
        driver: { name: ipam?.driver.name || 'default', options: ipam?.driver.options ?? {} },
        configs,
      },
    },
  };
}

/** What the user asked for, and a subnet of the pool where no IPv4 subnet is among it: engines need one. */
function wishesOf({ ipam }: NetworkSpec): readonly IpamConfig[] {
  const wishes = ipam?.configs ?? [];
  if (wishes.some(({ subnet }) => subnet === '' || parseCidr(subnet)?.block.family === 4)) return wishes;
  return [{ subnet: '', range: '', gateway: '', reserved: {} }, ...wishes];
}

function takeSubnet(
  book: AddressBook,
  cluster: Cluster,
  id: string,
  { annotations: { name } }: NetworkSpec,
  wish: IpamConfig,
): Cidr | Wait {
  if (wish.subnet === '') {
    const pool = addressPool(cluster.defaultAddressPool, cluster.subnetSize);
    const block = book.subnets.takeNext(pool, id);
    if (block) return block;
    const room = `${cluster.defaultAddressPool.join(', ')} has room for ${poolSize(pool)} of size /${pool.subnetSize}`;
    const advice =
      'remove networks that are not used, or give this one a subnet of its own (docker network create --subnet)';
    return waitFor(
      SUBNETS,
      `no subnet is left for network ${name}: the address pool ${room}, and all are taken; ${advice}`,
    );
  }
  const block = parseCidr(wish.subnet)?.block;
  if (!block) return waitFor(SUBNETS, `network ${name} has an invalid subnet ${wish.subnet}`);
  const other = book.subnets.take(block, id);
  if (!other) return block;
  const text = `${formatCidr(other.block)} of network ${other.networkId}`;
  return waitFor(SUBNETS, `the subnet ${wish.subnet} of network ${name} overlaps with ${text}`);
}

/** The first address that a host can have. */
function gatewayOf(block: Cidr, { range, reserved }: IpamConfig): string {
  const kept = new Set([
    ...unusable(block),
    ...Object.values(reserved).flatMap((text) => parseIp(text)?.value ?? []),
  ]);
  let value = parseCidr(range)?.block.base ?? block.base;
  while (kept.has(value)) value++;
  return formatIp({ family: block.family, value });
}

/** One for each IPv4 subnet: those that the user names, then new ones. */
function takeVxlanIds(
  book: AddressBook,
  id: string,
  { annotations, driver }: NetworkSpec,
  count: number,
): readonly number[] | Wait {
  const option = driver?.options[VXLAN_OPTION];
  const named = option === undefined || option === '' ? [] : readVxlanIds(option);
  if (!named) return waitFor(VXLAN_IDS, `network ${annotations.name} has invalid VXLAN ids ${option}`);
  const ids = named.slice(0, count);
  for (const number of ids) {
    const other = book.vxlanIds.take(number, id);
    if (other === undefined) continue;
    const text = other === id ? 'is named twice' : `is in use by network ${other}`;
    return waitFor(VXLAN_IDS, `the VXLAN id ${number} of network ${annotations.name} ${text}`);
  }
  while (ids.length < count) ids.push(book.vxlanIds.takeNext(id));
  return ids;
}

function undo(book: AddressBook, id: string, wait: Wait): Wait {
  book.forgetPlan(id);
  return wait;
}
