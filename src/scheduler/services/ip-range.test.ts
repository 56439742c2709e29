import { expect, it } from 'vitest';
import { ipRange } from './ip-range.ts';

it.each([
  ['10.0.0.1', '10.0.0.1', true],
  ['10.0.0.1', '10.0.0.2', false],
  ['10.0.0.1', '::ffff:10.0.0.1', true],
  ['::ffff:10.0.0.1', '10.0.0.1', true],
  ['10.1.2.3/8', '10.255.0.1', true],
  ['10.0.0.0/8', '11.0.0.1', false],
  ['0.0.0.0/0', '192.0.2.1', true],
  ['0.0.0.0/0', 'fe80::1', false],
  ['2001:db8::2', '2001:0DB8:0:0::2', true],
  ['2001:db8::/33', '2001:db8:7fff::1', true],
  ['2001:db8::/33', '2001:db8:8000::1', false],
  ['::ffff:10.0.0.0/104', '10.9.9.9', true],
  ['::ffff:10.0.0.0/104', '11.9.9.9', false],
  ['10.0.0.0/8', '', false],
  ['10.0.0.0/8', 'host', false],
  ['10.0.0.0/8', '10.0.0.1:2377', false],
])('%s and %s: %s', (text, address, expected) => {
  expect(ipRange(text)?.(address)).toBe(expected);
});

it.each(['', 'host', '10.0.0', '10.0.0.1/', '10.0.0.1/33', '::/129', '/8', '10.0.0.1/8/8', '10.0.0.1/-1'])(
  '%j is none',
  (text) => {
    expect(ipRange(text)).toBeUndefined();
  },
);
