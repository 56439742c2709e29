import { expect, it } from 'vitest';
import { eventNanos, eventTimeText, readEventTime } from './event-time.ts';

it.each([
  ['0', 0n],
  ['1700000000', 1_700_000_000_000_000_000n],
  ['1700000000.5', 1_700_000_000_500_000_000n],
  ['1700000000.123456789', 1_700_000_000_123_456_789n],
])('reads %s', (text, nanos) => {
  expect(readEventTime(text)).toBe(nanos);
  expect(readEventTime(eventTimeText(nanos))).toBe(nanos);
});

it('tells nothing from wrong', () => {
  expect([readEventTime(null), readEventTime('')]).toEqual([undefined, undefined]);
  for (const text of ['x', '-1', '1.', '1.1234567890', '1e3', '2026-01-01'])
    expect(() => readEventTime(text)).toThrow('expected seconds since 1970');
});

it('takes the nanoseconds of an event, else its seconds', () => {
  expect(eventNanos({ time: 2, timeNano: 2_000_000_001 })).toBe(2_000_000_001n);
  expect(eventNanos({ time: 2 })).toBe(2_000_000_000n);
  expect(eventNanos({})).toBe(0n);
  expect(eventNanos({ time: 'soon' })).toBe(0n);
});
