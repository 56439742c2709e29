import { follow } from '../follow.ts';
import type { LockTimes } from '../store-times.ts';
import type { Acquired, Lock, LockOptions } from '../types.ts';
import type { CallOptions } from './api.ts';
import { distinct } from './lock-watch.ts';
import type { V3Client } from './v3-client.ts';

type Signalled = { signal: AbortSignal };

/**
 * A key under a lease, created where it is not there. The lease tells who holds it, also where an answer was lost; it
 * is remembered before the key is written, so that whatever was written can be found again or given up.
 */
export class V3Lock implements Lock {
  readonly #client: V3Client;
  readonly #key: string;
  readonly #options: LockOptions;
  readonly #times: LockTimes;
  #lease: string | undefined;

  constructor(client: V3Client, key: string, options: LockOptions, times: LockTimes) {
    this.#client = client;
    this.#key = key;
    this.#options = options;
    this.#times = times;
  }

  async acquire({ signal }: Signalled): Promise<Acquired> {
    const call = this.#call(signal);
    const holder = await this.#holder(call);
    if (holder && holder.lease !== this.#lease) return { kind: 'taken', by: holder.value };
    if (this.#lease !== undefined && !(await this.#client.keepAlive(this.#lease, call)))
      this.#lease = undefined;
    const lease = (this.#lease ??= await this.#client.grant(this.#options.ttlMs, call));
    const found = await this.#client.create(this.#key, this.#options.value, lease, call);
    if (found === 'created' || found.lease === lease) return { kind: 'held' };
    await this.#giveUp(lease, call);
    return { kind: 'taken', by: found.value };
  }

  /** The lease alone does not do: somebody may have removed the key, and another one created it since. */
  async renew({ signal }: Signalled): Promise<boolean> {
    const lease = this.#lease;
    if (lease === undefined) return false;
    const call = this.#call(signal);
    if (await this.#client.keepAlive(lease, call)) {
      if ((await this.#holder(call))?.lease === lease) return true;
      await this.#giveUp(lease, call);
    }
    this.#lease = undefined;
    return false;
  }

  async release({ signal }: Signalled): Promise<void> {
    if (this.#lease === undefined) return;
    await this.#client.revoke(this.#lease, this.#call(signal));
    this.#lease = undefined;
  }

  async *watch({ signal }: Signalled): AsyncGenerator<string | undefined> {
    if (signal.aborted) return;
    let revision = '0';
    let streamsFrom: string | undefined;
    const states = follow({
      look: async () => {
        const range = await this.#client.range(this.#key, this.#call(signal));
        revision = range.revision;
        if (streamsFrom !== undefined && streamsFrom !== range.endpoint) return undefined;
        return { holder: range.kvs[0]?.value };
      },
      changes: (turn) =>
        this.#client.watch(this.#key, {
          after: revision,
          signal: turn,
          onEndpoint: (endpoint) => (streamsFrom = endpoint),
        }),
      signal,
      everyMs: this.#times.everyMs,
      settleMs: 0,
    });
    yield* distinct(states, signal);
  }

  async #holder(call: CallOptions): Promise<{ value: string; lease: string } | undefined> {
    return (await this.#client.range(this.#key, call)).kvs[0];
  }

  async #giveUp(lease: string, call: CallOptions): Promise<void> {
    this.#lease = undefined;
    await this.#client.revoke(lease, call).catch(() => undefined); // it ends by itself
  }

  #call(signal: AbortSignal): CallOptions {
    return { signal, deadlineMs: this.#times.deadlineMs };
  }
}
