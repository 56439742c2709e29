import { SwarmError } from '../base/errors.ts';

/**
 * The `version` that a client has read, for an update of a `noun`. Throws `invalid` in Docker's words, which are few for
 * secrets and configs.
 */
export function queryVersion(query: URLSearchParams, noun: string): number {
  const given = query.get('version') ?? '';
  const why = unsignedFault(given);
  if (why === undefined) return Number(given);
  if (noun === 'secret' || noun === 'config') throw new SwarmError('invalid', `invalid ${noun} version`);
  const parsing = `strconv.ParseUint: parsing ${JSON.stringify(given)}: ${why}`;
  throw new SwarmError('invalid', `invalid ${noun} version '${given}': ${parsing}`);
}

function unsignedFault(digits: string): string | undefined {
  if (!/^\d+$/.test(digits)) return 'invalid syntax';
  return digits.length > 20 || BigInt(digits) >= 1n << 64n ? 'value out of range' : undefined;
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

/** A flag that Docker reads strictly; false when it is not given. Throws `invalid` in Docker's words. */
export function queryBool(query: URLSearchParams, name: string): boolean {
  const given = query.get(name) ?? '';
  if (given === '' || FALSE.has(given)) return false;
  if (TRUE.has(given)) return true;
  const parsing = `strconv.ParseBool: parsing ${JSON.stringify(given)}: invalid syntax`;
  throw new SwarmError('invalid', `invalid value for ${name}: ${given}: ${parsing}`);
}
