import { describe, expect, it } from 'vitest';
import { parseMoment } from './moment.ts';

const now = Date.parse('2026-01-02T03:04:05Z');

describe('parseMoment', () => {
  it.each([
    ['1h30m', now - 5_400_000],
    ['1700000000', 1_700_000_000_000],
    ['1700000000.5', 1_700_000_000_500],
    ['2026-01-01', Date.parse('2026-01-01T00:00:00Z')],
    ['2026-01-01T10:00:00', Date.parse('2026-01-01T10:00:00Z')],
    ['2026-01-01T10:00:00+02:00', Date.parse('2026-01-01T08:00:00Z')],
  ])('%s', (text, expected) => {
    expect(parseMoment(text, now)).toBe(expected);
  });

  it.each(['', 'yesterday', '2026-13-45', '5'.repeat(3) + 'x'])('refuses %j', (text) => {
    expect(() => parseMoment(text, now)).toThrow(/invalid|unknown unit|missing unit/);
  });
});
