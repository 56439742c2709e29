import { randomBytes } from 'node:crypto';
import { SwarmError } from '../../base/errors.ts';

/** What SwarmKit's keys begin with; the rest is base64 without its padding. */
const PREFIX = 'SWMKEY-1-';
const KEY_BYTES = 32;

export function newUnlockKey(): Uint8Array {
  return randomBytes(KEY_BYTES);
}

/** A key as people are shown it. */
export function unlockKeyText(key: Uint8Array): string {
  return PREFIX + Buffer.from(key).toString('base64').replaceAll('=', '');
}

/** Reads a key as people give it. Throws `invalid` in SwarmKit's words for what can't be one; one of a wrong length opens nothing. */
export function parseUnlockKey(text: string): Uint8Array {
  const digits = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : '?';
  if (!/^[A-Za-z0-9+/]*$/.test(digits) || digits.length % 4 === 1)
    throw new SwarmError('invalid', 'invalid key string');
  return Buffer.from(digits, 'base64');
}
