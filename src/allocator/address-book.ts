import type { IpamOptions, NetworkAttachment } from '../model/index.ts';
import { NetworkAddresses, subnetOf, subnetPlans } from './network-addresses.ts';
import { SubnetSpace } from './subnet-space.ts';
import { readVxlanIds, VXLAN_OPTION, VxlanIds } from './vxlan-ids.ts';

/** An address that somebody has on a network: `10.0.9.11/24`. */
export interface Held {
  readonly networkId: string;
  readonly address: string;
}

interface Entry {
  readonly addresses: NetworkAddresses;
  /** Its row is gone; what is left of it goes with the last address. */
  gone: boolean;
}

/**
 * Who has which addresses, subnets and VXLAN ids. Owners are rows (`task/ID`, `service/ID`, `node/ID`); an address is
 * held by one of them at most, and only that one can give it back.
 */
export class AddressBook {
  readonly subnets = new SubnetSpace();
  readonly vxlanIds = new VxlanIds();
  readonly #networks = new Map<string, Entry>();
  readonly #held = new Map<string, readonly Held[]>();
  /** How many networks have gone, with their subnets and ids. */
  dropped = 0;

  /** The addresses of a network that is allocated and still there. */
  network(id: string): NetworkAddresses | undefined {
    const entry = this.#networks.get(id);
    return entry && !entry.gone ? entry.addresses : undefined;
  }

  /** Takes note of a network as it was allocated. */
  addNetwork(id: string, ipam: IpamOptions, vxlanIds: string | undefined, ipv6: boolean): void {
    if (this.#networks.has(id)) return;
    const plans = subnetPlans(ipam);
    for (const { block } of plans) this.subnets.take(block, id);
    for (const number of readVxlanIds(vxlanIds ?? '') ?? []) this.vxlanIds.take(number, id);
    this.#networks.set(id, { addresses: new NetworkAddresses(plans, ipv6), gone: false });
  }

  /** The network's row is gone. Its subnets and ids are free when nobody has an address of it any more. */
  removeNetwork(id: string): void {
    const entry = this.#networks.get(id);
    if (entry) entry.gone = true;
    this.#dropIfUnused(id);
  }

  /** Gives back what a network was to get, where that was not written. */
  forgetPlan(id: string): void {
    if (this.#networks.has(id)) return;
    this.subnets.release(id);
    this.vxlanIds.release(id);
  }

  heldBy(owner: string): readonly Held[] {
    return this.#held.get(owner) ?? [];
  }

  /** Takes note of an address that was taken for an owner. */
  note(owner: string, held: Held): void {
    this.#held.set(owner, [...this.heldBy(owner), held]);
  }

  /** Makes what an owner has exactly this: what its row says. Returns the networks of which something became free. */
  settle(owner: string, wanted: readonly Held[]): readonly string[] {
    const before = this.heldBy(owner);
    const freed = before.filter((one) => !includes(wanted, one));
    for (const { networkId, address } of freed) {
      this.#networks.get(networkId)?.addresses.release(address, owner);
      this.#dropIfUnused(networkId);
    }
    const kept = wanted.filter((one) => includes(before, one) || this.#restore(owner, one));
    if (kept.length > 0) this.#held.set(owner, kept);
    else this.#held.delete(owner);
    return freed.map(({ networkId }) => networkId);
  }

  /** Takes an address that a row has. False when another has it: then its owner must not give it back. */
  #restore(owner: string, { networkId, address }: Held): boolean {
    const known = this.#networks.get(networkId) ?? this.#revive(networkId, address);
    return known?.addresses.take(address, owner) !== undefined;
  }

  /** After a start: a network without a row whose addresses are still held. */
  #revive(networkId: string, address: string): Entry | undefined {
    const plan = subnetOf(address);
    if (!plan || this.subnets.take(plan.block, networkId)) return undefined;
    const entry: Entry = { addresses: new NetworkAddresses([plan], false), gone: true };
    this.#networks.set(networkId, entry);
    return entry;
  }

  #dropIfUnused(id: string): void {
    const entry = this.#networks.get(id);
    if (entry && (!entry.gone || entry.addresses.held > 0)) return;
    if (this.#networks.delete(id)) this.dropped++;
    this.subnets.release(id);
    this.vxlanIds.release(id);
  }
}

/** What the attachments of a task or a node hold. */
export function heldIn(attachments: readonly NetworkAttachment[]): Held[] {
  return attachments.flatMap(({ networkId, addresses }) =>
    addresses.map((address) => ({ networkId, address })),
  );
}

/** The ids that a network was given. */
export function vxlanIdsOf(options: Readonly<Record<string, string>>): string | undefined {
  return Object.hasOwn(options, VXLAN_OPTION) ? options[VXLAN_OPTION] : undefined;
}

function includes(list: readonly Held[], { networkId, address }: Held): boolean {
  return list.some((one) => one.networkId === networkId && one.address === address);
}
