import { createHash, timingSafeEqual } from 'node:crypto';
import { newId } from '../base/ids.ts';
import { SwarmError } from '../base/errors.ts';

/** The parts of a token: what the joiner checks the root by, and what it proves its right with. */
export interface JoinToken {
  /** SHA-256 of the root certificate's PEM, base 36. */
  readonly digest: string;
  readonly secret: string;
}

const SHAPE = /^SWMTKN-1-([0-9a-z]{50})-([0-9a-z]{25})$/;
const DIGEST_LENGTH = 50;

/** A new token for joiners of a root, in SwarmKit's form. */
export function newJoinToken(rootPem: string): string {
  // A secret has the form of an id: 16 random bytes, base 36, 25 digits.
  return `SWMTKN-1-${rootDigest(rootPem)}-${newId()}`;
}

/** Reads a token. Throws `invalid` in Docker's words. */
export function parseJoinToken(token: string): JoinToken {
  const [, digest, secret] = SHAPE.exec(token) ?? [];
  if (digest === undefined || secret === undefined) throw new SwarmError('invalid', 'invalid join token');
  return { digest, secret };
}

/** What a token says of the root: a joiner compares it with what the manager hands out, byte for byte. */
export function rootDigest(rootPem: string): string {
  const hex = createHash('sha256').update(rootPem).digest('hex');
  return BigInt(`0x${hex}`).toString(36).padStart(DIGEST_LENGTH, '0');
}

/** Whether two secrets are the same; how long it takes tells nothing of where they differ. */
export function sameSecret(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
