import { pause } from '../../base/async.ts';

/** What removes a node of ours. Rejects where that could not be done. */
export type Remove = (signal: AbortSignal) => Promise<void>;

const RETRY_MS = 1_000;

/**
 * Ephemeral nodes live as long as their session, which lives as long as this process: who stops to prolong them would
 * keep them for ever. So each has a time of its own, after which it is removed, tried until that works.
 */
export class Deadlines {
  readonly #running = new Map<string, AbortController>();

  /** Removes in `ms` unless it is prolonged (set again) or cancelled before. */
  set(name: string, ms: number, remove: Remove): void {
    this.cancel(name);
    const turn = new AbortController();
    this.#running.set(name, turn);
    void this.#run(name, ms, remove, turn);
  }

  cancel(name: string): void {
    this.#running.get(name)?.abort();
    this.#running.delete(name);
  }

  /** Forgets all; nothing more is removed. */
  clear(): void {
    for (const name of [...this.#running.keys()]) this.cancel(name);
  }

  async #run(name: string, ms: number, remove: Remove, turn: AbortController): Promise<void> {
    for (let waitMs = ms; !turn.signal.aborted; waitMs = RETRY_MS) {
      await pause(waitMs, turn.signal);
      if (turn.signal.aborted) return;
      try {
        await remove(turn.signal);
        if (this.#running.get(name) === turn) this.#running.delete(name);
        return;
      } catch {
        // No server answers: again, or the session runs out by itself.
      }
    }
  }
}
