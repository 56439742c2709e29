import type { OnRefused } from './tls-front.ts';

const SILENCE_MS = 60_000;
const MAX_PEERS = 1_000;

/**
 * Passes on that a client was refused: once a minute for each address, and for a bounded number of them, because
 * whoever can connect can do so often.
 */
export function quietRefusals(tell: OnRefused, now: () => number = () => performance.now()): OnRefused {
  const told = new Map<string, number>();
  return (peer, why) => {
    const nowMs = now();
    for (const [other, atMs] of told) {
      // In the order in which they were told of.
      if (nowMs - atMs < SILENCE_MS) break;
      told.delete(other);
    }
    if (told.has(peer) || told.size >= MAX_PEERS) return;
    told.set(peer, nowMs);
    tell(peer, why);
  };
}
