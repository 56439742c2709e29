import { SwarmError } from './errors.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5, micro sign
  μs: 1e-3, // U+03BC, Greek mu
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Go keeps durations as 64-bit nanoseconds. */
const MAX_MS = 9_223_372_036_854;

/**
 * Reads a Go duration (`1m30s`, `1.5h`, `-5s`, `0`) and gives milliseconds, maybe fractional. Throws `invalid` with Go's
 * own words.
 */
export function parseDuration(text: string): number {
  const quoted = JSON.stringify(text);
  const invalid = (): SwarmError => new SwarmError('invalid', `time: invalid duration ${quoted}`);
  let rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0;
  if (rest === '') throw invalid();
  let totalMs = 0;
  while (rest !== '') {
    const match = /^(\d+\.?\d*|\.\d+)([^\d.]*)/.exec(rest);
    if (!match) throw invalid();
    const [whole, number, unit] = match;
    if (unit === undefined || unit === '')
      throw new SwarmError('invalid', `time: missing unit in duration ${quoted}`);
    const unitMs = Object.hasOwn(UNIT_MS, unit) ? UNIT_MS[unit] : undefined;
    if (unitMs === undefined)
      throw new SwarmError('invalid', `time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    totalMs += Number(number) * unitMs;
    rest = rest.slice(whole.length);
  }
  if (totalMs > MAX_MS) throw invalid();
  // Sums of fractions are a hair off; a nanosecond is the smallest step there is.
  const exact = Math.round(totalMs * 1e6) / 1e6;
  return text.startsWith('-') ? -exact : exact;
}

/** Writes milliseconds as Go prints a duration: `20s`, `1m30s`, `1h0m0s`, `1.5ms`, `0s`. */
export function formatDuration(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const nanos = Math.round(Math.abs(ms) * 1e6);
  if (nanos === 0) return '0s';
  if (nanos < 1e3) return `${sign}${nanos}ns`;
  if (nanos < 1e6) return `${sign}${nanos / 1e3}µs`;
  if (nanos < 1e9) return `${sign}${nanos / 1e6}ms`;
  const minutes = Math.floor(nanos / 6e10);
  const seconds = `${(nanos - minutes * 6e10) / 1e9}s`;
  const hours = Math.floor(minutes / 60);
  if (minutes === 0) return sign + seconds;
  return hours === 0 ? `${sign}${minutes}m${seconds}` : `${sign}${hours}h${minutes % 60}m${seconds}`;
}
