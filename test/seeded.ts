/** Numbers that look random and are the same for the same seed (mulberry32). */
export interface Seeded {
  /** From 0 up to, and without, 1. */
  readonly next: () => number;
  pick<T>(of: readonly T[]): T;
  /** A whole number from `from` to `to`, both possible. */
  whole(from: number, to: number): number;
}

export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    pick: <T>(of: readonly T[]): T => {
      const chosen = of[Math.floor(next() * of.length)];
      if (chosen === undefined) throw new Error('nothing to pick from');
      return chosen;
    },
    whole: (from, to) => from + Math.floor(next() * (to - from + 1)),
  };
}
