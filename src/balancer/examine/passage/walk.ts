import { both, type Met, type Packets } from './packets.ts';

/** What a rule does with what meets it. */
export type Then =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'pass' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

export interface Rule {
  /** As its owner would name it. */
  readonly text: string;
  /** All have to be true. */
  readonly conditions: readonly ((packets: Packets) => Met)[];
  readonly then: Then;
}

/** A chain that the kernel calls, with those that it leads to. */
export interface Hook {
  readonly start: string;
  readonly chains: ReadonlyMap<string, readonly Rule[]>;
  /** The chain's policy, where that is to drop, as its owner would name it; '' where it lets pass. */
  readonly dropPolicy: string;
  /** What its owner may run to let something through before the rule that drops it. */
  readonly letThrough: (state: Packets['state'], rule: string) => string;
}

/** What becomes of packets. */
export interface Passage {
  /** Some get through. */
  readonly passes: boolean;
  /** What drops them, all or some, in its order; where none pass the last one drops whatever is left. */
  readonly drops: readonly string[];
}

/** Kernels take no deeper calls either. */
const DEEPEST = 16;

/** Follows packets through a hook. What depends on more than is known of them goes both ways. */
export function walk({ start, chains, dropPolicy }: Hook, packets: Packets): Passage {
  const drops: string[] = [];
  let passes = false;

  /** Whether some go on after it, in the chain that it was called from. */
  function through(name: string, depth: number): boolean {
    let returns = false;
    for (const { text, conditions, then } of chains.get(name) ?? []) {
      const met = both(...conditions.map((one) => one(packets)));
      if (met === 'none' || then.kind === 'pass') continue;
      const goesOn = follow(then, text, depth);
      if (goesOn === 'return') returns = true;
      if (met === 'all' && goesOn !== 'next') return returns;
    }
    return true;
  }

  function follow(then: Then, text: string, depth: number): 'next' | 'return' | 'end' {
    switch (then.kind) {
      case 'accept':
        passes = true;
        return 'end';
      case 'drop':
        drops.push(text);
        return 'end';
      case 'return':
        return 'return';
      case 'pass':
        return 'next';
      case 'jump':
      case 'goto': {
        const some = depth >= DEEPEST || through(then.chain, depth + 1);
        if (!some) return 'end';
        return then.kind === 'jump' ? 'next' : 'return';
      }
    }
  }

  if (through(start, 0)) {
    if (dropPolicy === '') passes = true;
    else drops.push(dropPolicy);
  }
  return { passes, drops: [...new Set(drops)] };
}
