import { SwarmError } from '../../base/errors.ts';
import type { LogOptions } from '../../dispatcher/index.ts';

/** Reads `tail`: all, or the last so many lines. Throws `invalid` in Docker's words. */
export function parseTail(given: string): Pick<LogOptions, 'tail'> {
  if (given === '' || given === 'all') return {};
  if (/^-\d+$/.test(given)) throw new SwarmError('invalid', 'negative tail values not supported');
  if (!/^\+?\d{1,15}$/.test(given)) {
    throw new SwarmError('invalid', 'tail value must be a positive integer or "all"');
  }
  return { tail: Number(given) };
}

/** Reads `since`: seconds since 1970, maybe with a fraction; clients turn everything else into that. */
export function parseSince(given: string): Pick<LogOptions, 'sinceMs'> {
  if (given === '') return {};
  const [seconds = '', fraction = ''] = given.split('.', 2);
  for (const digits of [seconds, ...(fraction === '' ? [] : [fraction])]) {
    if (!/^-?\d{1,18}$/.test(digits)) {
      const why = `strconv.ParseInt: parsing ${JSON.stringify(digits)}: invalid syntax`;
      throw new SwarmError('invalid', `could not parse since timestamp: ${why}`);
    }
  }
  return { sinceMs: Number(`${seconds}.${fraction}`) * 1000 };
}
