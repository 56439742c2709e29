import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

test.each([
  ['0', 0],
  ['+0', 0],
  ['20s', 20_000],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['300ms', 300],
  ['-5s', -5000],
  ['+5s', 5000],
  ['1h2m3s4ms5us6ns', 3_723_004.005006],
  ['.5s', 500],
  ['1.s', 1000],
  ['2µs', 0.002],
  ['2μs', 0.002],
])('reads %s', (text, ms) => {
  expect(parseDuration(text)).toBeCloseTo(ms, 6);
});

test.each([
  ['', 'time: invalid duration ""'],
  ['x', 'time: invalid duration "x"'],
  ['-', 'time: invalid duration "-"'],
  ['.s', 'time: invalid duration ".s"'],
  ['1..2s', 'time: missing unit in duration "1..2s"'],
  ['5', 'time: missing unit in duration "5"'],
  ['1m30', 'time: missing unit in duration "1m30"'],
  ['5d', 'time: unknown unit "d" in duration "5d"'],
  ['5 s', 'time: unknown unit " s" in duration "5 s"'],
  ['1toString', 'time: unknown unit "toString" in duration "1toString"'],
  ['9999999999h', 'time: invalid duration "9999999999h"'],
])('refuses %j', (text, message) => {
  expect(() => parseDuration(text)).toThrow(message);
});

test.each([
  [0, '0s'],
  [20_000, '20s'],
  [60_000, '1m0s'],
  [90_000, '1m30s'],
  [3_600_000, '1h0m0s'],
  [1500, '1.5s'],
  [1.5, '1.5ms'],
  [0.0015, '1.5µs'],
  [0.000001, '1ns'],
  [-5000, '-5s'],
])('writes %d ms', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test('reads what it writes', () => {
  fc.assert(
    fc.property(fc.integer({ min: -9e9, max: 9e9 }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
});
