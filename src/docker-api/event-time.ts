import { SwarmError } from '../base/errors.ts';
import { digitsOf } from '../base/exact-json.ts';

const NS_PER_SECOND = 1_000_000_000n;

/** When an event was, in nanoseconds since 1970: to the nanosecond where it says so. */
export function eventNanos({
  time,
  timeNano,
}: {
  readonly time?: unknown;
  readonly timeNano?: unknown;
}): bigint {
  const digits = digitsOf(timeNano);
  if (digits !== undefined) return BigInt(digits);
  return typeof time === 'number' && Number.isFinite(time) ? BigInt(Math.trunc(time)) * NS_PER_SECOND : 0n;
}

/**
 * Reads `since` and `until` of `GET /events` as clients send them: seconds since 1970, with or without a fraction. Gives
 * nanoseconds; undefined where nothing is said. Throws `invalid`.
 */
export function readEventTime(text: string | null): bigint | undefined {
  if (text === null || text === '') return undefined;
  const match = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) throw new SwarmError('invalid', `invalid time "${text}": expected seconds since 1970`);
  return BigInt(match[1] ?? 0) * NS_PER_SECOND + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** The same the other way round. */
export function eventTimeText(nanos: bigint): string {
  return `${nanos / NS_PER_SECOND}.${(nanos % NS_PER_SECOND).toString().padStart(9, '0')}`;
}
