/** How one try to have a lock went: `by` is the holder's value. */
export type Acquired = { kind: 'held' } | { kind: 'taken'; by: string };

/**
 * A place in a store that one process holds at a time, for as long as it renews. Whoever acquires or renews at a
 * moment t (the call's begin) has it for sure until t + ttlMs; a store that only knows longer times keeps it longer.
 * All operations reject with `unavailable` when the store does not answer; what then became of them is not known.
 */
export interface Lock {
  /** One try. Succeeds again for who holds it already. */
  acquire(options: { signal: AbortSignal }): Promise<Acquired>;
  /** False when it is lost for good: acquire anew. */
  renew(options: { signal: AbortSignal }): Promise<boolean>;
  /** Gives it up at once; nothing happens when it is not held. */
  release(options: { signal: AbortSignal }): Promise<void>;
  /**
   * The holder's value (undefined: nobody), at once and at every change, until the signal fires, which ends it without
   * an error. Throws `unavailable` when the store can't be followed; the caller begins again.
   */
  watch(options: { signal: AbortSignal }): AsyncIterable<string | undefined>;
}
