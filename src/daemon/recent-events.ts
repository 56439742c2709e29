import { SwarmError } from '../base/errors.ts';
import type { SwarmEvent } from '../control/index.ts';

/** Docker's own number of events that are remembered. */
const REMEMBERED = 256;
const MAX_READERS = 1_000;

/** The swarm's events: the last ones, and those who want the next. */
export class RecentEvents {
  readonly #last: SwarmEvent[] = [];
  readonly #listeners = new Set<(event: SwarmEvent) => void>();

  /** From the oldest that is remembered on. */
  get last(): readonly SwarmEvent[] {
    return this.#last;
  }

  add(event: SwarmEvent): void {
    this.#last.push(event);
    if (this.#last.length > REMEMBERED) this.#last.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** Returns what ends it. */
  listen(listener: (event: SwarmEvent) => void): () => void {
    if (this.#listeners.size >= MAX_READERS)
      throw new SwarmError('unavailable', 'too many readers of events at once');
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
