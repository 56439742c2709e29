import type { Logger } from '../base/log.ts';

/**
 * Faults that last, each under a name of its own. Whoever gets the report tells the users; here they are told
 * as they come and go.
 */
export class Problems {
  readonly #log: Logger;
  readonly #words = new Map<string, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  set(name: string, words: string): void {
    if (this.#words.get(name) === words) return;
    this.#words.set(name, words);
    this.#log.debug({ problem: words }, 'balancing is impaired');
  }

  clear(name: string): void {
    const words = this.#words.get(name);
    if (words === undefined) return;
    this.#words.delete(name);
    this.#log.info({ problem: words }, 'balancing is no longer impaired');
  }

  /** The words of those there are, `undefined` ends one. */
  put(name: string, words: string | undefined): void {
    if (words === undefined) this.clear(name);
    else this.set(name, words);
  }

  /** Ends all whose name begins like this, except those listed. */
  keepOnly(prefix: string, names: ReadonlySet<string>): void {
    for (const name of [...this.#words.keys()])
      if (name.startsWith(prefix) && !names.has(name)) this.clear(name);
  }

  get list(): readonly string[] {
    return [...new Set(this.#words.values())].sort();
  }
}
