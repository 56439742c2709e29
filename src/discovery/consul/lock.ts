import { lockTimes, type LockTimes } from '../store-times.ts';
import type { Acquired, Lock, LockOptions } from '../types.ts';
import type { Blocking, CallOptions, ConsulApi } from './api.ts';
import { blockingQueries } from './follow.ts';

/** By which Consul's own client, which the original uses, knows a lock's key from any other. */
const LOCK_FLAGS = 0x2ddc_cbc0_58a5_0c18n;

/**
 * The lock of Consul's own client: a session acquires the key. Ours takes the key with it when it ends, and without a
 * lock delay, so that the next one can have it at once.
 */
export class ConsulLock implements Lock {
  readonly #api: ConsulApi;
  readonly #key: string;
  readonly #options: LockOptions;
  readonly #times: LockTimes;
  #session: string | undefined;

  constructor(api: ConsulApi, key: string, options: LockOptions) {
    this.#api = api;
    this.#key = key;
    this.#options = options;
    this.#times = lockTimes(options.ttlMs);
  }

  async acquire({ signal }: { signal: AbortSignal }): Promise<Acquired> {
    const options = this.#call(signal);
    const by = await this.#otherHolder(options);
    if (by !== undefined) return { kind: 'taken', by };
    const session = await this.#renewed(options);
    const flags = LOCK_FLAGS;
    const held = await this.#api.acquire(this.#key, this.#options.value, session, { ...options, flags });
    if (held === true) return { kind: 'held' };
    if (held === 'lost') this.#session = undefined;
    // Nobody has it and yet it can't be had: the lock delay that the original's sessions leave behind.
    return { kind: 'taken', by: (await this.#otherHolder(options)) ?? '' };
  }

  async renew({ signal }: { signal: AbortSignal }): Promise<boolean> {
    const options = this.#call(signal);
    const session = this.#session;
    if (session === undefined) return false;
    // In this order: who reads the key consistently afterwards knows that it was the leader who renewed.
    const lives = await this.#api.renewSession(session, options);
    const holds = lives && (await this.#api.get(this.#key, options)).value?.session === session;
    if (!holds && this.#session === session) this.#session = undefined;
    return holds;
  }

  async release({ signal }: { signal: AbortSignal }): Promise<void> {
    if (this.#session === undefined) return;
    await this.#api.destroySession(this.#session, this.#call(signal));
    this.#session = undefined;
  }

  async *watch({ signal }: { signal: AbortSignal }): AsyncGenerator<string | undefined> {
    const options = this.#call(signal);
    let last: { value: string | undefined } | undefined;
    const ask = (blocking: Blocking): ReturnType<ConsulApi['get']> =>
      this.#api.get(this.#key, { ...options, blocking });
    try {
      for await (const { value: key } of blockingQueries(ask, this.#times.everyMs, signal)) {
        const value = key && key.session !== '' ? key.value : undefined;
        if (last && last.value === value) continue;
        last = { value };
        yield value;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** The value of the session that holds it and is not ours. */
  async #otherHolder(options: CallOptions): Promise<string | undefined> {
    const { value: key } = await this.#api.get(this.#key, options);
    return key && key.session !== '' && key.session !== this.#session ? key.value : undefined;
  }

  /** Our session with its whole time before it. */
  async #renewed(options: CallOptions): Promise<string> {
    if (this.#session !== undefined && (await this.#api.renewSession(this.#session, options)))
      return this.#session;
    this.#session = await this.#api.createSession(this.#options.ttlMs, options);
    return this.#session;
  }

  #call(signal: AbortSignal): CallOptions {
    return { signal, deadlineMs: this.#times.deadlineMs };
  }
}
