/** A daemon that is told to end gives its containers 15 seconds, and may go on a little after them. */
const WITH_DAEMON_MS = 20_000;
/** How much later than the answer to a request the event of it may come. */
const EVENT_MS = 5_000;
/** Beyond so many, those that were asked for long ago are forgotten. */
const MANY = 256;

/**
 * Tells the containers that somebody stopped from those that a daemon stopped at its own end: both are killed in the
 * same way, but the daemon is silent soon after, and nobody has asked for it here.
 */
export class Stops {
  /** Until when a stop is what a client asked for. */
  readonly #asked = new Map<string, number>();
  readonly #killedMs = new Map<string, number>();

  /** A client of the manager asks for it; ends with the request. */
  ask(id: string): () => void {
    this.#asked.set(id, Infinity);
    this.#killedMs.delete(id);
    return () => {
      const nowMs = performance.now();
      this.#asked.set(id, nowMs + EVENT_MS);
      if (this.#asked.size <= MANY) return;
      // The event of a container's end may have come before the answer: nothing else would forget it.
      for (const [other, untilMs] of this.#asked) if (untilMs < nowMs) this.#asked.delete(other);
    };
  }

  /** The engine tells that a container got a signal that ends it. */
  killed(id: string, nowMs: number): void {
    if (nowMs > (this.#asked.get(id) ?? -Infinity)) this.#killedMs.set(id, nowMs);
  }

  /** The container runs again, or is gone. */
  forget(id: string): void {
    this.#asked.delete(id);
    this.#killedMs.delete(id);
  }

  clear(): void {
    this.#asked.clear();
    this.#killedMs.clear();
  }

  /** Whether the container was stopped by a daemon of which nothing has been heard since `silentSinceMs`. */
  byDaemon(id: string, silentSinceMs: number): boolean {
    const killedMs = this.#killedMs.get(id);
    return killedMs !== undefined && silentSinceMs - killedMs < WITH_DAEMON_MS;
  }
}
