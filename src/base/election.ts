import { backoffMs } from './async.ts';
import { MONOTONIC, type Clock } from './clock.ts';
import { SwarmError, messageOf } from './errors.ts';
import type { Lock } from './lock.ts';

export interface ElectionOptions {
  lock: Lock;
  /** The lock's. */
  ttlMs: number;
  clock?: Clock;
  random?: () => number;
  /** Called with each new kind of trouble once, and with undefined when the store answers again. */
  onTrouble?: (message: string | undefined) => void;
}

/** What the leader keeps of its lease unused: for clocks that drift, and for what it has just sent to arrive. */
const MARGIN_PART = 0.1;
const RENEW_PART = 1 / 3;
const FIRST_RETRY_MS = 100;
const RELEASE_MS = 3_000;
/** A watch that ends sooner than this is not begun again at once. */
const SHORT_WATCH_MS = 100;

/**
 * One of several processes leads: the one that has the lock. It begins to lead when it has acquired the lock, and stops
 * at the latest when its lease could run out, whatever the store says or fails to say; so that two never lead at once
 * as long as their clocks go equally fast to within a tenth.
 */
export class Election {
  readonly #lock: Lock;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onTrouble: (message: string | undefined) => void;
  readonly #listeners = new Set<() => void>();
  #leadsUntilMs = -Infinity;
  #holder: string | undefined;
  #trouble: string | undefined;
  #told = '';

  constructor(options: ElectionOptions) {
    this.#lock = options.lock;
    this.#ttlMs = options.ttlMs;
    this.#clock = options.clock ?? MONOTONIC;
    this.#random = options.random ?? Math.random;
    this.#onTrouble = options.onTrouble ?? (() => undefined);
  }

  /** Whether this process leads now. It looks at the clock: ask again after every wait. */
  leads(): boolean {
    return this.#clock.nowMs() < this.#leadsUntilMs;
  }

  /** The value of the other process that has the lock, as far as is known; undefined also while this one leads. */
  get holder(): string | undefined {
    return this.leads() ? undefined : this.#holder;
  }

  /** Called after every change of `leads()` and `holder`. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes part until the signal fires, then resigns; resolves when the lock is given back, or can't be. */
  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    const quit = (): void => this.#become(-Infinity, undefined);
    signal.addEventListener('abort', quit, { once: true });
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#turn(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        this.#report(messageOf(error));
        const most = Math.max(FIRST_RETRY_MS, this.#ttlMs * RENEW_PART);
        await this.#clock.pause(backoffMs(failures, FIRST_RETRY_MS, most, this.#random), signal);
        failures += 1;
      }
    }
    quit();
    const release = (inner: AbortSignal): Promise<void> => this.#lock.release({ signal: inner });
    await this.#within(RELEASE_MS, new AbortController().signal, release).catch(() => undefined);
  }

  /** Acquires the lock and leads, or follows who has it; until that ends. Throws when the store does not answer. */
  async #turn(signal: AbortSignal): Promise<void> {
    const beginMs = this.#clock.nowMs();
    const acquired = await this.#within(this.#ttlMs * RENEW_PART, signal, (inner) =>
      this.#lock.acquire({ signal: inner }),
    );
    this.#report(undefined);
    if (signal.aborted) return;
    if (acquired.kind === 'taken') {
      this.#become(-Infinity, acquired.by);
      await this.#follow(signal);
      return;
    }
    this.#become(this.#endOfLease(beginMs), undefined);
    try {
      await this.#lead(beginMs, signal);
    } finally {
      this.#become(-Infinity, undefined);
    }
  }

  /** Renews until the lock is lost, or may be. */
  async #lead(acquiredMs: number, signal: AbortSignal): Promise<void> {
    let nextMs = acquiredMs + this.#ttlMs * RENEW_PART;
    let failures = 0;
    for (;;) {
      const leftMs = Math.min(nextMs, this.#leadsUntilMs) - this.#clock.nowMs();
      await this.#clock.pause(Math.max(0, leftMs), signal);
      if (signal.aborted || !this.leads()) return;
      const beginMs = this.#clock.nowMs();
      const mostMs = Math.min(this.#ttlMs * RENEW_PART, this.#leadsUntilMs - beginMs);
      try {
        const kept = await this.#within(mostMs, signal, (inner) => this.#lock.renew({ signal: inner }));
        this.#report(undefined);
        if (signal.aborted || !kept) return;
        this.#become(this.#endOfLease(beginMs), undefined);
        nextMs = beginMs + this.#ttlMs * RENEW_PART;
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#report(messageOf(error));
        const most = Math.max(FIRST_RETRY_MS, this.#ttlMs * RENEW_PART);
        nextMs = this.#clock.nowMs() + backoffMs(failures, FIRST_RETRY_MS, most, this.#random);
        failures += 1;
      }
    }
  }

  /** Follows who has the lock until nobody has, or for one ttl: a watch that has died must not be trusted for ever. */
  async #follow(signal: AbortSignal): Promise<void> {
    const begunMs = this.#clock.nowMs();
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    void this.#clock.pause(this.#ttlMs, either).then(() => over.abort());
    try {
      for await (const holder of this.#lock.watch({ signal: either })) {
        if (signal.aborted) return;
        this.#become(-Infinity, holder);
        if (holder === undefined) break;
      }
    } finally {
      over.abort();
    }
    const lastedMs = this.#clock.nowMs() - begunMs;
    if (lastedMs < SHORT_WATCH_MS) await this.#clock.pause(SHORT_WATCH_MS, signal);
  }

  #endOfLease(beginMs: number): number {
    return beginMs + this.#ttlMs * (1 - MARGIN_PART);
  }

  #become(leadsUntilMs: number, holder: string | undefined): void {
    this.#leadsUntilMs = leadsUntilMs;
    this.#holder = holder;
    const now = this.leads() ? 'leads' : `follows ${holder ?? ''}`;
    if (now === this.#told) return;
    this.#told = now;
    for (const listener of [...this.#listeners]) listener();
  }

  #report(trouble: string | undefined): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#onTrouble(trouble);
  }

  /** Throws `unavailable` after `ms`. An answer that comes later than that is not known of. */
  async #within<T>(ms: number, signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const late = this.#clock.pause(ms, either).then((): never => {
      throw new SwarmError('unavailable', 'what keeps the lock does not answer');
    });
    try {
      return await Promise.race([ask(either), late]);
    } finally {
      over.abort();
    }
  }
}
