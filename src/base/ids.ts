import { createHash, randomBytes } from 'node:crypto';

const LENGTH = 25;
const BYTES = 16;

/** A new id as SwarmKit's: 25 digits of base 36, from 128 random bits of which those that fit are kept. */
export function newId(): string {
  return idOf(randomBytes(BYTES));
}

/** An id of the same form that always comes of the same text. */
export function idFrom(text: string): string {
  return idOf(createHash('sha256').update(text).digest().subarray(0, BYTES));
}

function idOf(bytes: Buffer): string {
  // 36^25 is more than 2^129: padding keeps the length.
  return BigInt(`0x${bytes.toString('hex')}`)
    .toString(36)
    .padStart(LENGTH, '0');
}
