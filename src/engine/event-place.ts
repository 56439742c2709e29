import { digitsOf } from '../base/exact-json.ts';
import type { EngineEvent } from './events.ts';

/** An engine remembers 256 events, newer ones somewhat more; none beyond those comes twice. */
const MAX_SEEN = 1_024;
/** Events that come at the same time may be told in another order than they are dated. */
const OVERLAP_NANO = 1_000_000_000n;

/** How far an engine's events have been followed: a stream that is opened anew goes on there, and repeats nothing. */
export class EventPlace {
  readonly #seen = new Set<string>();
  #beginNano: bigint | undefined;
  #latestNano: bigint | undefined;

  /** The query of `GET /events`; empty at the beginning, which asks for nothing of the past. */
  get search(): string {
    if (this.#beginNano === undefined) return '';
    const latest = (this.#latestNano ?? 0n) - OVERLAP_NANO;
    const from = latest > this.#beginNano ? latest : this.#beginNano;
    const nano = (from % 1_000_000_000n).toString().padStart(9, '0');
    return `?since=${from / 1_000_000_000n}.${nano}`;
  }

  /** The engine has opened a stream, at this time by its own clock. What was before the first one is nobody's concern. */
  opened(nowMs: number): void {
    this.#beginNano ??= BigInt(Math.trunc(nowMs)) * 1_000_000n;
  }

  /** Takes note of an event; false when it was told before. */
  take(event: EngineEvent): boolean {
    const digits = digitsOf(event.timeNano);
    if (digits === undefined) return true;
    const nano = BigInt(digits);
    const { Type = '', Action = '', Actor } = event;
    const key = `${digits} ${Type} ${Action} ${Actor?.ID ?? ''} ${Actor?.Attributes?.['container'] ?? ''}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    if (this.#latestNano === undefined || nano > this.#latestNano) this.#latestNano = nano;
    if (this.#seen.size > MAX_SEEN) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    return true;
  }
}
