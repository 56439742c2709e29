import type { Discovery, DiscoveryEvent } from '../../src/discovery/index.ts';
import { until } from '../hosts/index.ts';

/** Longest wait for what a working store does soon. */
export const SOON_MS = 20_000;

/** A watch that goes on in the background, and what it has said so far. */
export class Follower implements AsyncDisposable {
  readonly events: DiscoveryEvent[] = [];
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(discovery: Discovery) {
    this.#done = this.#run(discovery);
    this.#done.catch(() => undefined); // shown by end()
  }

  /** The engines of the last list, sorted; undefined before the first. */
  get addresses(): string[] | undefined {
    const last = this.events.findLast((event) => event.kind === 'entries');
    return last?.entries.map(({ address }) => address).sort();
  }

  /** The last trouble, while no list came after it. */
  get trouble(): string | undefined {
    const last = this.events.at(-1);
    return last?.kind === 'trouble' ? last.message : undefined;
  }

  get troubles(): string[] {
    return this.events.flatMap((event) => (event.kind === 'trouble' ? [event.message] : []));
  }

  get lists(): number {
    return this.events.filter((event) => event.kind === 'entries').length;
  }

  /** Waits until the list is this, whatever the order. */
  async shows(addresses: readonly string[], ms = SOON_MS): Promise<void> {
    const wanted = JSON.stringify([...addresses].sort());
    await until(`the list ${wanted.slice(0, 200)}`, ms, () =>
      JSON.stringify(this.addresses) === wanted ? true : undefined,
    );
  }

  async troubled(ms = SOON_MS): Promise<string> {
    return until('trouble', ms, () => this.trouble);
  }

  /** Waits until a list came after the trouble. */
  async calm(ms = SOON_MS): Promise<void> {
    await until('no trouble', ms, () =>
      this.events.length > 0 && this.trouble === undefined ? true : undefined,
    );
  }

  /** Fires the signal and waits; rejects where the watch did not end without an error. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done.catch(() => undefined);
  }

  async #run(discovery: Discovery): Promise<void> {
    for await (const event of discovery.watch({ signal: this.#stop.signal })) this.events.push(event);
  }
}
