import { randomBytes } from 'node:crypto';

const LENGTH = 25;

/** A new id as SwarmKit's: 25 digits of base 36, from 128 random bits of which those that fit are kept. */
export function newId(): string {
  // 36^25 is more than 2^129: padding keeps the length.
  return BigInt(`0x${randomBytes(16).toString('hex')}`)
    .toString(36)
    .padStart(LENGTH, '0');
}
