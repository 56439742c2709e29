import type { Clock } from './clock.ts';

/** Timers can't wait longer than 2^31 ms. */
const LONGEST_SLEEP_MS = 2 ** 30;
/** Entries that were given up and are still in the heap, before it is built anew. */
const MOST_STALE = 256;

interface Entry<K> {
  readonly dueMs: number;
  readonly key: K;
}

/** Many moments to wait for, one a key, and one sleeper for them all. */
export class Alarms<K> {
  readonly #clock: Clock;
  readonly #due = new Map<K, number>();
  /** Smallest first. An entry whose moment is not the one in `#due` was given up. */
  #heap: Entry<K>[] = [];
  #sleep: { readonly untilMs: number; readonly wake: AbortController } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#due.size;
  }

  /** Rings for that key in `ms`, and not at the moment that was set for it before. */
  set(key: K, ms: number): void {
    const dueMs = this.#clock.nowMs() + Math.max(0, ms);
    if (this.#due.get(key) === dueMs) return;
    this.#due.set(key, dueMs);
    if (this.#heap.length > 2 * this.#due.size + MOST_STALE) this.#rebuild();
    else this.#push({ dueMs, key });
    if (!this.#sleep || dueMs < this.#sleep.untilMs) this.#sleep?.wake.abort();
  }

  clear(key: K): void {
    this.#due.delete(key);
  }

  /** Calls `ring`, which must not throw, for each key that is due, until the signal fires. Runs once at a time. */
  async run(signal: AbortSignal, ring: (key: K) => void): Promise<void> {
    const end = (): void => this.#sleep?.wake.abort();
    signal.addEventListener('abort', end);
    try {
      while (!signal.aborted) {
        const nowMs = this.#clock.nowMs();
        for (let key = this.#takeDue(nowMs); key !== undefined; key = this.#takeDue(nowMs)) ring(key.key);
        const next = Math.min(this.#heap[0]?.dueMs ?? Infinity, nowMs + LONGEST_SLEEP_MS);
        const wake = new AbortController();
        this.#sleep = { untilMs: next, wake };
        await this.#clock.pause(next - nowMs, wake.signal);
        this.#sleep = undefined;
      }
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  #takeDue(nowMs: number): { readonly key: K } | undefined {
    for (let first = this.#heap[0]; first; first = this.#heap[0]) {
      const stale = this.#due.get(first.key) !== first.dueMs;
      if (!stale && first.dueMs > nowMs) return undefined;
      this.#pop();
      if (stale) continue;
      this.#due.delete(first.key);
      return { key: first.key };
    }
    return undefined;
  }

  #rebuild(): void {
    this.#heap = [...this.#due].map(([key, dueMs]) => ({ dueMs, key }));
    this.#heap.sort((a, b) => a.dueMs - b.dueMs);
  }

  #push(entry: Entry<K>): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (!above || above.dueMs <= entry.dueMs) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      if (!left) break;
      const rightFirst = right !== undefined && right.dueMs < left.dueMs;
      const child = rightFirst ? right : left;
      if (child.dueMs >= last.dueMs) break;
      heap[at] = child;
      at = 2 * at + (rightFirst ? 2 : 1);
    }
    heap[at] = last;
  }
}
