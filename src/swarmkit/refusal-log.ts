import type { Logger } from '../base/log.ts';
import { NO_CERTIFICATE, type Peer } from './identity.ts';

/** An agent that is refused comes back every few seconds for ever. */
const AGAIN_MS = 60 * 60 * 1000;
/** Whoever comes from more places than that is told of more often. */
const PLACES_MAX = 1_000;

/**
 * Tells of connections whose certificate is worth nothing here, once an hour for each address: the other end may be a node
 * whose certificate has expired, and the words that it gets show only in its own log.
 */
export class RefusalLog {
  readonly #log: Logger;
  readonly #toldAtMs = new Map<string, number>();

  constructor(log: Logger) {
    this.#log = log;
  }

  see({ addr, identity, refusal }: Peer, nowMs: number): void {
    if (identity || refusal === NO_CERTIFICATE) return;
    const toldAtMs = this.#toldAtMs.get(addr);
    if (toldAtMs !== undefined && nowMs - toldAtMs < AGAIN_MS) return;
    if (this.#toldAtMs.size >= PLACES_MAX) this.#toldAtMs.clear();
    this.#toldAtMs.set(addr, nowMs);
    this.#log.warn({ addr, reason: refusal }, 'a node is refused');
  }
}
