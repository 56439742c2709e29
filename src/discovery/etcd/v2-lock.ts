import { follow } from '../follow.ts';
import type { LockTimes } from '../store-times.ts';
import type { Acquired, Lock, LockOptions } from '../types.ts';
import type { CallOptions } from './api.ts';
import { distinct } from './lock-watch.ts';
import { V2Changes } from './v2-changes.ts';
import type { V2Client, V2Node } from './v2-client.ts';

type Signalled = { signal: AbortSignal };

/** A key that came and went between two looks at it is looked at again so often. */
const TRIES = 3;

/**
 * A key with a time to live, made where it is not there and renewed by its index: what the Go original's managers do,
 * so that theirs and ours elect one leader together. Who made it is told by the index of its making.
 */
export class V2Lock implements Lock {
  readonly #client: V2Client;
  readonly #key: string;
  readonly #options: LockOptions;
  readonly #times: LockTimes;
  #held: V2Node | undefined;

  constructor(client: V2Client, key: string, options: LockOptions, times: LockTimes) {
    this.#client = client;
    this.#key = key;
    this.#options = options;
    this.#times = times;
  }

  async acquire({ signal }: Signalled): Promise<Acquired> {
    if (await this.renew({ signal })) return { kind: 'held' };
    const call = this.#call(signal);
    const { ttlMs, value } = this.#options;
    for (let tries = 0; ; tries++) {
      const [other] = (await this.#client.get(this.#key, call)).nodes;
      if (other) return { kind: 'taken', by: other.value };
      const made = await this.#client.put(this.#key, value, { ...call, ttlMs, prevExist: false });
      if (typeof made === 'object') {
        this.#held = made;
        return { kind: 'held' };
      }
      if (tries === TRIES) return { kind: 'taken', by: '' };
    }
  }

  async renew({ signal }: Signalled): Promise<boolean> {
    const { ttlMs, value } = this.#options;
    const call = this.#call(signal);
    return this.#whileOurs(call, async (held) => {
      const written = await this.#client.put(this.#key, value, {
        ...call,
        ttlMs,
        prevIndex: held.modifiedIndex,
      });
      if (typeof written === 'object') this.#held = written;
      return typeof written === 'object' ? 'done' : written;
    });
  }

  async release({ signal }: Signalled): Promise<void> {
    const call = this.#call(signal);
    await this.#whileOurs(call, async (held) => {
      const removed = await this.#client.remove(this.#key, { ...call, prevIndex: held.modifiedIndex });
      return removed === 'removed' ? 'done' : removed;
    });
    this.#held = undefined;
  }

  async *watch({ signal }: Signalled): AsyncGenerator<string | undefined> {
    if (signal.aborted) return;
    const changes = new V2Changes(this.#client, this.#key);
    const { deadlineMs, everyMs } = this.#times;
    const states = follow({
      look: async () => {
        const nodes = await changes.get(signal, deadlineMs);
        return nodes && { holder: nodes[0]?.value };
      },
      changes: (turn) => changes.follow(turn, () => true),
      signal,
      everyMs,
      settleMs: 0,
    });
    yield* distinct(states, signal);
  }

  /**
   * Does something to the key as it was left; once more where an answer of ours was lost and it went on since. False,
   * and the lock given up, where the key is gone or another's.
   */
  async #whileOurs(
    call: CallOptions,
    act: (held: V2Node) => Promise<'done' | 'missing' | 'changed' | 'exists'>,
  ): Promise<boolean> {
    for (let tries = 0; this.#held && tries < TRIES; tries++) {
      const done = await act(this.#held);
      if (done === 'done') return true;
      const [now] = done === 'missing' ? [] : (await this.#client.get(this.#key, call)).nodes;
      this.#held = now?.createdIndex === this.#held.createdIndex ? now : undefined;
    }
    this.#held = undefined;
    return false;
  }

  #call(signal: AbortSignal): CallOptions {
    return { signal, deadlineMs: this.#times.deadlineMs };
  }
}
