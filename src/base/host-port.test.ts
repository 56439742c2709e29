import { expect, test } from 'vitest';
import { hostOf, isHostPort, portOf } from './host-port.ts';

test.each(['10.0.0.1:2375', 'core-01:2376', 'a.b_c.example:1', '[::1]:65535', '[fe80::1]:2375'])(
  '%s',
  (text) => {
    expect(isHostPort(text)).toBe(true);
  },
);

test.each([
  '',
  'a',
  'a:',
  ':2375',
  'a:0',
  'a:65536',
  'a:b',
  '10.0.0.300:2375',
  '1.2.3:1',
  '::1:2375',
  '[a]:1',
  'a b:1',
])('not "%s"', (text) => {
  expect(isHostPort(text)).toBe(false);
});

test('takes an endpoint apart', () => {
  expect([hostOf('a:1'), portOf('a:1')]).toEqual(['a', 1]);
  expect([hostOf('[fd00::1]:2379'), portOf('[fd00::1]:2379')]).toEqual(['fd00::1', 2379]);
});
