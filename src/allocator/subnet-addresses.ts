import { formatIp, holds, type Cidr, sizeOf, widthOf } from '../base/cidr.ts';
import { Slots } from './slots.ts';

/** Of a larger block only so many addresses are given out; those that a user names may be any. */
const MOST_ADDRESSES = 1 << 20;

/** What nobody gets: the network's own address, its broadcast, its gateway, and those that the user keeps. */
export const RESERVED = 'reserved';

export interface SubnetPlan {
  readonly block: Cidr;
  /** From where addresses are given out; within the block. */
  readonly range?: Cidr;
  /** The gateway and the addresses that the user keeps. */
  readonly reserved: readonly bigint[];
}

/** The addresses of one subnet, each with its owner. */
export class SubnetAddresses {
  readonly block: Cidr;
  readonly #start: bigint;
  readonly #slots: Slots;
  readonly #owners = new Map<bigint, string>();
  /** How many it has to give in all. */
  readonly capacity: number;

  constructor({ block, range, reserved }: SubnetPlan) {
    this.block = block;
    const window = range ?? block;
    this.#start = window.base;
    const size = sizeOf(window);
    this.#slots = new Slots(size > BigInt(MOST_ADDRESSES) ? MOST_ADDRESSES : Number(size));
    for (const address of [...unusable(block), ...reserved]) this.#hold(address, RESERVED);
    this.capacity = this.#slots.free;
  }

  get free(): number {
    return this.#slots.free;
  }

  /** The next free address; undefined when there is none. */
  takeNext(owner: string): string | undefined {
    const slot = this.#slots.takeNext();
    if (slot === undefined) return undefined;
    const address = this.#start + BigInt(slot);
    this.#owners.set(address, owner);
    return this.text(address);
  }

  /** This very address; false when it is taken, or not of this subnet. The next one is sought behind it. */
  take(address: bigint, owner: string): boolean {
    if (!this.#hold(address, owner)) return false;
    this.#slots.seekBehind(this.#slotOf(address));
    return true;
  }

  #hold(address: bigint, owner: string): boolean {
    if (!holds(this.block, { family: this.block.family, value: address }) || this.#owners.has(address))
      return false;
    this.#owners.set(address, owner);
    this.#slots.take(this.#slotOf(address));
    return true;
  }

  /** False when the owner does not hold it. */
  release(address: bigint, owner: string): boolean {
    if (this.#owners.get(address) !== owner) return false;
    this.#owners.delete(address);
    this.#slots.release(this.#slotOf(address));
    return true;
  }

  owner(address: bigint): string | undefined {
    return this.#owners.get(address);
  }

  /** `10.0.9.11/24` */
  text(address: bigint): string {
    return `${formatIp({ family: this.block.family, value: address })}/${this.block.prefix}`;
  }

  /** -1 for those beyond what is given out. */
  #slotOf(address: bigint): number {
    const offset = address - this.#start;
    return offset >= 0n && offset < BigInt(this.#slots.size) ? Number(offset) : -1;
  }
}

/** The addresses of a block that no host can have. */
export function unusable(block: Cidr): bigint[] {
  if (block.prefix >= widthOf(block.family) - 1) return [];
  const last = block.base + sizeOf(block) - 1n;
  // IPv6 knows no broadcast.
  return block.family === 4 ? [block.base, last] : [block.base];
}
