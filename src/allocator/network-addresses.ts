import { blockAt, parseCidr, parseIp, type Cidr, type IpAddress } from '../base/cidr.ts';
import type { IpamOptions } from '../model/index.ts';
import { SubnetAddresses, unusable, type SubnetPlan } from './subnet-addresses.ts';

/** What part of a network tasks leave to nodes at most. */
const NODES_SHARE = 8;

/** The addresses of one network. */
export class NetworkAddresses {
  readonly #subnets: readonly SubnetAddresses[];
  /** Tasks get one address of each of these families. */
  readonly #families: readonly (4 | 6)[];
  /** How many addresses are held by owners. */
  held = 0;
  /** How many of these by nodes. */
  heldByNodes = 0;

  constructor(plans: readonly SubnetPlan[], ipv6: boolean) {
    this.#subnets = plans.map((plan) => new SubnetAddresses(plan));
    const has = (family: 4 | 6): boolean => plans.some(({ block }) => block.family === family);
    this.#families = [4 as const, 6 as const].filter((family) => has(family) && (family === 4 || ipv6));
  }

  /** How many addresses owners can have at once, and how many more: of the family that has fewer. */
  get room(): { readonly capacity: number; readonly free: number } {
    const of = (family: 4 | 6): readonly SubnetAddresses[] => this.#of(family);
    const [first] = this.#families
      .map((family) => ({
        capacity: of(family).reduce((sum, { capacity }) => sum + capacity, 0),
        free: of(family).reduce((sum, { free }) => sum + free, 0),
      }))
      .sort((a, b) => a.free - b.free);
    return first ?? { capacity: 0, free: 0 };
  }

  /**
   * How many addresses tasks and services leave to nodes: a task on a node that finds no address for itself never starts. One for each
   * node that has none yet, but no more than an eighth of all, since few nodes may ever take part.
   */
  keptForNodes(nodes: number): number {
    const { capacity } = this.room;
    return Math.max(0, Math.min(nodes - this.heldByNodes, Math.ceil(capacity / NODES_SHARE)));
  }

  get blocks(): readonly Cidr[] {
    return this.#subnets.map(({ block }) => block);
  }

  /** What a task gets: an address of each family; none at all when one family has none left. */
  takeForTask(owner: string): readonly string[] | undefined {
    const taken: string[] = [];
    for (const family of this.#families) {
      const address = this.#takeOf(family, owner);
      if (address === undefined) {
        for (const each of taken) this.release(each, owner);
        return undefined;
      }
      taken.push(address);
    }
    return taken.length > 0 ? taken : undefined;
  }

  /** One address, for a virtual IP or a node. */
  takeOne(owner: string): string | undefined {
    const [family] = this.#families;
    return family === undefined ? undefined : this.#takeOf(family, owner);
  }

  /**
   * This very address, `10.0.9.11` or `10.0.9.11/24`. Returns it as the network writes it; undefined when it is taken,
   * or not of this network.
   */
  take(text: string, owner: string): string | undefined {
    const address = readAddress(text);
    if (!address) return undefined;
    for (const subnet of this.#of(address.family)) {
      if (!subnet.take(address.value, owner)) continue;
      this.#count(owner, 1);
      return subnet.text(address.value);
    }
    return undefined;
  }

  /** Who holds an address: an owner, or RESERVED. Undefined for one that is free, or not of this network. */
  holder(text: string): string | undefined {
    const address = readAddress(text);
    if (!address) return undefined;
    for (const subnet of this.#of(address.family)) {
      const owner = subnet.owner(address.value);
      if (owner !== undefined) return owner;
    }
    return undefined;
  }

  /** False when the owner does not hold it. */
  release(text: string, owner: string): boolean {
    const address = readAddress(text);
    if (!address) return false;
    const released = this.#of(address.family).some((subnet) => subnet.release(address.value, owner));
    if (released) this.#count(owner, -1);
    return released;
  }

  #takeOf(family: 4 | 6, owner: string): string | undefined {
    for (const subnet of this.#of(family)) {
      const address = subnet.takeNext(owner);
      if (address === undefined) continue;
      this.#count(owner, 1);
      return address;
    }
    return undefined;
  }

  #count(owner: string, step: 1 | -1): void {
    this.held += step;
    if (owner.startsWith('node/')) this.heldByNodes += step;
  }

  #of(family: 4 | 6): readonly SubnetAddresses[] {
    return this.#subnets.filter(({ block }) => block.family === family);
  }
}

function readAddress(text: string): IpAddress | undefined {
  const cidr = parseCidr(text);
  return cidr ? { family: cidr.block.family, value: cidr.address } : parseIp(text);
}

/** The subnets of a network as they were allocated; what can't be read is left out. */
export function subnetPlans({ configs }: IpamOptions): SubnetPlan[] {
  return configs.flatMap(({ subnet, range, gateway, reserved }) => {
    const block = parseCidr(subnet)?.block;
    if (!block) return [];
    const kept = [gateway, ...Object.values(reserved)].flatMap((text) => parseIp(text)?.value ?? []);
    const part = parseCidr(range)?.block;
    if (block.family === 6) kept.push(enginesOwn(block, part, kept));
    return [{ block, ...(part ? { range: part } : {}), reserved: kept }];
  });
}

/**
 * A node is told one address of its own on a network, which is of IPv4. For IPv6 each engine gives its load balancer the first
 * that is free by its own reckoning, and refuses a container that comes with the same one.
 */
function enginesOwn(block: Cidr, range: Cidr | undefined, kept: readonly bigint[]): bigint {
  const taken = new Set([...unusable(block), ...kept]);
  let address = (range ?? block).base;
  while (taken.has(address)) address++;
  return address;
}

/** The subnet that an address was given from, where nothing else of its network is known. */
export function subnetOf(text: string): SubnetPlan | undefined {
  const cidr = parseCidr(text);
  if (!cidr) return undefined;
  const { family, prefix } = cidr.block;
  return { block: blockAt(family, cidr.address, prefix), reserved: [] };
}
