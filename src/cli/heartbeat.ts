import { backoffMs, pause } from '../base/async.ts';
import { messageOf, SwarmError } from '../base/errors.ts';

export interface HeartbeatOptions {
  register: (signal: AbortSignal) => Promise<void>;
  heartbeatMs: number;
  /** The first registration comes after a random part of this. */
  delayMs: number;
  /** Before every registration, and every try of one. */
  onBeat: () => void;
  /** `again` where the one before succeeded too. */
  onRegistered: (again: boolean) => void;
  /** Once for each kind of trouble. */
  onTrouble: (error: unknown) => void;
  random?: () => number;
  nowMs?: () => number;
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** How long one registration may take. */
const REGISTER_MS = 15_000;
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [1_000, 10_000];
/** So many different troubles are told between two registrations. */
const MAX_TROUBLES = 20;
/** Timers hold no more. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/** Registers at every heartbeat, and sooner after a failure. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #random: () => number;
  readonly #nowMs: () => number;
  readonly #wait: (ms: number, signal: AbortSignal) => Promise<void>;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#nowMs = options.nowMs ?? (() => performance.now());
    this.#wait = options.wait ?? pause;
  }

  /** Goes on until the signal fires. Rejects only with `unsupported`: nothing can ever be registered there. */
  async run(signal: AbortSignal): Promise<void> {
    const { heartbeatMs, delayMs, onBeat, onRegistered, onTrouble } = this.#options;
    await this.#pause(delayMs * this.#random(), signal);
    const told = new Set<string>();
    let failures = 0;
    for (let registered = false; !signal.aborted;) {
      onBeat();
      const begunMs = this.#nowMs();
      let nextMs = 0;
      try {
        await this.#register(signal);
        onRegistered(registered);
        [registered, failures] = [true, 0];
        told.clear();
        // From the begin of one to the begin of the next: its time to live counts from there too.
        nextMs = Math.max(0, heartbeatMs - (this.#nowMs() - begunMs));
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof SwarmError && error.code === 'unsupported') throw error;
        registered = false;
        if (!told.has(messageOf(error)) && told.size < MAX_TROUBLES) onTrouble(error);
        told.add(messageOf(error));
        const most = Math.min(LAST_RETRY_MS, heartbeatMs);
        nextMs = backoffMs(failures++, Math.min(FIRST_RETRY_MS, most), most, this.#random);
      }
      await this.#pause(nextMs, signal);
    }
  }

  /** Ends with the signal or after its time, whatever the service does. */
  async #register(signal: AbortSignal): Promise<void> {
    const abort = new AbortController();
    const stopped = new Promise<never>((_, reject) => {
      abort.signal.addEventListener('abort', () =>
        reject(new SwarmError('timeout', 'the discovery service does not answer')),
      );
    });
    const stop = (): void => abort.abort();
    const timer = setTimeout(stop, REGISTER_MS);
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (signal.aborted) return;
      await Promise.race([this.#options.register(abort.signal), stopped]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return this.#wait(Math.min(ms, LONGEST_WAIT_MS), signal);
  }
}
