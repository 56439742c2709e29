import { createHash } from 'node:crypto';
import { newJoinToken } from './join-token.ts';

interface Held {
  readonly nodeId: string;
  readonly untilMs: number;
  /** The key that used it: who lost the answer may ask again. */
  keyId?: string;
}

const LIFETIME_MS = 2 * 60_000;
/** swarmd needs one at a time. */
const HELD_MAX = 16;

/**
 * Tokens with which swarmd joins its own engine: each yields a certificate of a worker for one node, whose row is there
 * already, and for one key only. They are of this process alone, and live two minutes.
 */
export class OneTimeTokens {
  readonly #held = new Map<string, Held>();
  readonly #nowMs: () => number;

  /** `nowMs` only goes forward. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** A token that looks as any other, for a joiner that is to become that node. */
  make(rootPem: string, nodeId: string): string {
    this.#dropLate();
    for (const oldest of this.#held.keys()) {
      if (this.#held.size < HELD_MAX) break;
      this.#held.delete(oldest);
    }
    const token = newJoinToken(rootPem);
    this.#held.set(nameOf(token), { nodeId, untilMs: this.#nowMs() + LIFETIME_MS });
    return token;
  }

  /** Whether a token is one of these, used or not. */
  knows(token: string): boolean {
    this.#dropLate();
    return this.#held.has(nameOf(token));
  }

  /** The node that a token is for, when no other key has used it; undefined for any other token. */
  redeem(token: string, keyId: string): string | undefined {
    this.#dropLate();
    const held = this.#held.get(nameOf(token));
    if (!held || (held.keyId ?? keyId) !== keyId) return undefined;
    held.keyId = keyId;
    return held.nodeId;
  }

  #dropLate(): void {
    const now = this.#nowMs();
    for (const [name, { untilMs }] of this.#held) if (untilMs <= now) this.#held.delete(name);
  }
}

/** Looked up by digest: how long that takes tells nothing of the token. */
function nameOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
