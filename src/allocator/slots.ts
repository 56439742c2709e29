const BITS = 5;
const WORD = 1 << BITS;
const FULL = 0xffffffff;

/**
 * Numbers from 0 to `size` - 1, of which some are taken. Each level of bits says which words of the one below are full,
 * so that the next free number is found in a few steps however many are taken.
 */
export class Slots {
  readonly size: number;
  /** Level 0 has a bit for each number. */
  readonly #levels: Uint32Array[] = [];
  #taken = 0;
  #cursor = 0;

  constructor(size: number) {
    this.size = size;
    let bits = size;
    do {
      const words = Math.ceil(bits / WORD);
      const level = new Uint32Array(words);
      // What is beyond the end is never free.
      const rest = bits % WORD;
      if (rest > 0) level[words - 1] = (FULL << rest) >>> 0;
      this.#levels.push(level);
      bits = words;
    } while (bits > 1);
  }

  get free(): number {
    return this.size - this.#taken;
  }

  has(number: number): boolean {
    return ((this.#word(0, number >>> BITS) >>> (number & (WORD - 1))) & 1) === 1;
  }

  /** Takes this one; false when it was taken already. */
  take(number: number): boolean {
    if (number < 0 || number >= this.size || this.has(number)) return false;
    this.#set(number);
    return true;
  }

  /** Has the search for a next one begin behind this, if it would begin before. */
  seekBehind(number: number): void {
    this.#cursor = Math.max(this.#cursor, number + 1);
  }

  #set(number: number): void {
    this.#taken++;
    let index = number;
    for (const [height, level] of this.#levels.entries()) {
      const at = index >>> BITS;
      const word = (this.#word(height, at) | (1 << (index & (WORD - 1)))) >>> 0;
      level[at] = word;
      if (word !== FULL) break;
      index = at;
    }
  }

  /**
   * Takes the next free one behind the last that was taken, from the start again behind the last of all: one that was
   * given back rests as long as it can. Undefined when none is free.
   */
  takeNext(): number | undefined {
    const number = this.#nextFree(this.#cursor) ?? this.#nextFree(0);
    if (number === undefined) return undefined;
    this.#cursor = number + 1;
    this.#set(number);
    return number;
  }

  /** False when it was not taken. */
  release(number: number): boolean {
    if (number < 0 || number >= this.size || !this.has(number)) return false;
    this.#taken--;
    let index = number;
    for (const [height, level] of this.#levels.entries()) {
      const at = index >>> BITS;
      const before = this.#word(height, at);
      level[at] = (before & ~(1 << (index & (WORD - 1)))) >>> 0;
      if (before !== FULL) break;
      index = at;
    }
    return true;
  }

  #word(height: number, at: number): number {
    return this.#levels[height]?.[at] ?? FULL;
  }

  /** Up until a word has a free bit at or behind the place, then down to the first number there. */
  #nextFree(from: number): number | undefined {
    let index = from;
    for (let height = 0; height < this.#levels.length; height++) {
      const at = index >>> BITS;
      const free = ~this.#word(height, at) & (FULL << (index & (WORD - 1)));
      if (free !== 0) return this.#descend(height, at * WORD + lowest(free));
      index = at + 1;
    }
    return undefined;
  }

  #descend(height: number, from: number): number {
    let index = from;
    for (let below = height - 1; below >= 0; below--) {
      index = index * WORD + lowest(~this.#word(below, index));
    }
    return index;
  }
}

/** The place of the lowest bit that is set. */
function lowest(bits: number): number {
  return WORD - 1 - Math.clz32(bits & -bits);
}
