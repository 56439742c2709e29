import type { EtcdClient } from './client.ts';
import type { Keys } from './keys.ts';
import { revisionOf } from './revision-value.ts';

/**
 * Asks etcd how far the state has been written. An answer is good for those who asked before it was asked for, so whoever comes while
 * one is under way shares the next: however many ask, there are two at a time.
 */
export class LastWrite {
  readonly #client: EtcdClient;
  readonly #keys: Keys;
  #asking: Promise<unknown> = Promise.resolve();
  #next: Promise<number> | undefined;

  constructor(client: EtcdClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** The state's revision, as it was after the call. Rejects where etcd does not say within the deadline. */
  ask(deadlineMs: number): Promise<number> {
    this.#next ??= this.#asking.then(() => {
      this.#next = undefined;
      const asked = this.#ask(deadlineMs);
      this.#asking = asked.catch(() => undefined);
      return asked;
    });
    return this.#next;
  }

  async #ask(deadlineMs: number): Promise<number> {
    const asked = { signal: AbortSignal.timeout(deadlineMs), deadlineMs };
    const { kvs } = await this.#client.range({ key: this.#keys.revision }, asked);
    return revisionOf(kvs[0])?.revision ?? 0;
  }
}
