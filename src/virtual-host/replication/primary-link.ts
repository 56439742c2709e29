import type { Logger } from 'pino';
import { pause } from '../../base/async.ts';
import { messageOf } from '../../base/errors.ts';
import { EngineClient, parseEngineAddress, type EngineTls } from '../../engine/index.ts';

const PING_MS = 2_000;
const LOOK_MS = 2_000;

/** The way to one primary: a manager is a Docker API at an address, as an engine is. */
export class PrimaryLink {
  readonly address: string;
  readonly client: EngineClient;
  readonly #log: Logger;
  #silentSinceMs: number | undefined;
  #reason = '';

  /** Throws `invalid` where the address, which another manager announced, is none. */
  constructor(address: string, tls: EngineTls | undefined, log: Logger) {
    this.address = address;
    this.client = new EngineClient(parseEngineAddress(address), tls);
    this.#log = log;
  }

  /** Since when nothing could be sent to it, on the process's clock; undefined while it can be reached. */
  get silentSinceMs(): number | undefined {
    return this.#silentSinceMs;
  }

  /** Why it can't be reached. */
  get reason(): string {
    return this.#reason;
  }

  reached(): void {
    if (this.#silentSinceMs === undefined) return;
    this.#silentSinceMs = undefined;
    this.#log.info({ primary: this.address }, 'Primary can be reached again');
  }

  /** Forgets failures of a time when it was not the primary. */
  forgive(): void {
    this.#silentSinceMs = undefined;
  }

  failed(error: unknown): void {
    this.#reason = wordsOf(error);
    if (this.#silentSinceMs !== undefined) return;
    this.#silentSinceMs = performance.now();
    this.#log.warn({ primary: this.address, err: this.#reason }, 'Primary cannot be reached');
  }

  /** Resolves when it answers no more, or when the signal fires. */
  async goneQuiet(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const answer = await this.client.call('/_ping', { timeoutMs: PING_MS, signal }).catch(() => undefined);
      if (!answer) return;
      await pause(LOOK_MS, signal);
    }
  }
}

/** The words of a failure, which call the other manager an engine. */
export function wordsOf(error: unknown): string {
  return messageOf(error).replace(/^engine \S+?:? /, '');
}
