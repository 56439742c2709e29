import { pause } from '../../base/async.ts';
import type { CallOptions } from './api.ts';
import type { V2Client, V2Event, V2Node } from './v2-client.ts';

/** After a wait that brought nothing: a server that never waits must not be asked without a pause. */
const AGAIN_MS = 100;

/** Reads a key or folder and hears of what happens to it from there on: an index that reading and waiting share. */
export class V2Changes {
  readonly #client: V2Client;
  readonly #key: string;
  #index = 0;
  #waitsAt: string | undefined;

  constructor(client: V2Client, key: string) {
    this.#client = client;
    this.#key = key;
  }

  /** Undefined where another server answers than the one that is waited at. */
  async get(signal: AbortSignal, deadlineMs?: number): Promise<readonly V2Node[] | undefined> {
    const options: CallOptions = deadlineMs === undefined ? { signal } : { signal, deadlineMs };
    const { nodes, index, endpoint } = await this.#client.get(this.#key, options);
    this.#index = Math.max(this.#index, index);
    return this.#waitsAt === undefined || this.#waitsAt === endpoint ? nodes : undefined;
  }

  /** Yields for every event that counts, and where some may have been missed. */
  async *follow(signal: AbortSignal, counts: (event: V2Event) => boolean): AsyncGenerator<'changed'> {
    while (!signal.aborted) {
      const event = await this.#client.next(this.#key, {
        after: this.#index,
        signal,
        onEndpoint: (endpoint) => (this.#waitsAt = endpoint),
      });
      if (event === undefined) {
        await pause(AGAIN_MS, signal);
        continue;
      }
      if ('at' in event) {
        this.#index = Math.max(this.#index, event.at);
        yield 'changed';
        await pause(AGAIN_MS, signal);
        continue;
      }
      this.#index = Math.max(this.#index, event.node.modifiedIndex);
      if (counts(event)) yield 'changed';
    }
  }
}
