import { blockAt, overlaps, parseCidr, sizeOf, type Cidr } from '../base/cidr.ts';

/** Where subnets are taken from. */
export interface AddressPool {
  readonly blocks: readonly Cidr[];
  /** The prefix length of a subnet. */
  readonly subnetSize: number;
}

interface Taken {
  readonly block: Cidr;
  readonly networkId: string;
}

/** Which network has which subnets; no two overlap. */
export class SubnetSpace {
  /** Of either family, by their first address. */
  readonly #taken: Record<4 | 6, Taken[]> = { 4: [], 6: [] };
  readonly #byNetwork = new Map<string, Cidr[]>();
  /** Behind the subnet that was taken from the pool last. */
  #cursor: bigint | undefined;

  /** Takes this one. Returns the network whose subnet stands in the way, if any: then nothing is taken. */
  take(block: Cidr, networkId: string): { readonly block: Cidr; readonly networkId: string } | undefined {
    const list = this.#taken[block.family];
    const at = firstEndingAfter(list, block.base);
    const other = list[at];
    if (other && overlaps(other.block, block)) return other;
    list.splice(at, 0, { block, networkId });
    const own = this.#byNetwork.get(networkId);
    if (own) own.push(block);
    else this.#byNetwork.set(networkId, [block]);
    return undefined;
  }

  /**
   * Takes the next free subnet of the pool, behind the last that was taken, so that one that was given back rests.
   * Undefined when none is free.
   */
  takeNext({ blocks, subnetSize }: AddressPool, networkId: string): Cidr | undefined {
    for (const [from, until] of this.#spans(blocks)) {
      const block = this.#freeIn(from, until, subnetSize);
      if (!block) continue;
      this.take(block, networkId);
      this.#cursor = block.base + sizeOf(block);
      return block;
    }
    return undefined;
  }

  /** Gives back all that a network has. */
  release(networkId: string): void {
    for (const { family, base } of this.#byNetwork.get(networkId) ?? []) {
      const list = this.#taken[family];
      const at = firstEndingAfter(list, base);
      if (list[at]?.networkId === networkId) list.splice(at, 1);
    }
    this.#byNetwork.delete(networkId);
  }

  /** The pool's blocks from the cursor on, and what lies before it last. */
  #spans(blocks: readonly Cidr[]): (readonly [bigint, bigint])[] {
    const spans = blocks.map((block) => [block.base, block.base + sizeOf(block)] as const);
    const cursor = this.#cursor ?? this.#behindLast(spans);
    const at = spans.findIndex(([from, until]) => from <= cursor && cursor < until);
    const span = spans[at];
    if (!span) return spans;
    const [from, until] = span;
    return [[cursor, until], ...spans.slice(at + 1), ...spans.slice(0, at), [from, cursor]];
  }

  /** After a start: behind the last of the pool's subnets that is taken. */
  #behindLast(spans: readonly (readonly [bigint, bigint])[]): bigint {
    const ends = this.#taken[4]
      .filter(({ block }) => spans.some(([from, until]) => from <= block.base && block.base < until))
      .map(({ block }) => block.base + sizeOf(block));
    return ends.at(-1) ?? 0n;
  }

  #freeIn(from: bigint, until: bigint, prefix: number): Cidr | undefined {
    const list = this.#taken[4];
    let block = alignedFrom(from, prefix);
    while (block.base + sizeOf(block) <= until) {
      const other = list[firstEndingAfter(list, block.base)]?.block;
      if (!other || !overlaps(other, block)) return block;
      block = alignedFrom(other.base + sizeOf(other), prefix);
    }
    return undefined;
  }
}

/** The pool as a cluster has it; what can't be read is left out. */
export function addressPool(texts: readonly string[], subnetSize: number): AddressPool {
  const blocks = texts.flatMap((text) => parseCidr(text)?.block ?? []).filter(({ family }) => family === 4);
  return { blocks, subnetSize };
}

/** How many subnets a pool has, taken or not. */
export function poolSize({ blocks, subnetSize }: AddressPool): number {
  return blocks.reduce((sum, { prefix }) => sum + (prefix > subnetSize ? 0 : 2 ** (subnetSize - prefix)), 0);
}

function alignedFrom(address: bigint, prefix: number): Cidr {
  const block = blockAt(4, address, prefix);
  return block.base === address ? block : { ...block, base: block.base + sizeOf(block) };
}

/** The place of the first that ends behind an address. */
function firstEndingAfter(list: readonly Taken[], address: bigint): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const block = list[middle]?.block;
    if (block && block.base + sizeOf(block) <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}
