import { SwarmError } from '../base/errors.ts';
import { parseDuration } from '../base/duration.ts';

/**
 * Reads a point in time as Docker's `until` filters take it: a Go duration back from `nowMs`, seconds since 1970, or a
 * date (RFC 3339, its zone and time optional; without a zone, UTC). Gives milliseconds since 1970. Throws `invalid`.
 */
export function parseMoment(text: string, nowMs: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const zoned = /(Z|[+-]\d{2}:\d{2})$/.test(text);
    const ms = Date.parse(text.includes('T') && !zoned ? `${text}Z` : text);
    if (Number.isFinite(ms)) return ms;
    throw new SwarmError('invalid', `invalid time "${text}"`);
  }
  return nowMs - parseDuration(text);
}
