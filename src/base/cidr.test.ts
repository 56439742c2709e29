import fc from 'fast-check';
import { isIPv6 } from 'node:net';
import { describe, expect, it } from 'vitest';
import { blockAt, formatCidr, formatIp, holds, overlaps, parseCidr, parseIp, sizeOf } from './cidr.ts';

describe('addresses', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1::5', '2001:db8::1:0:0:5'],
    ['fd00:0:0:1:0:0:0:1', 'fd00:0:0:1::1'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['1:0:3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ])('%s is written %s', (text, written) => {
    const address = parseIp(text);
    expect(address && formatIp(address)).toBe(written);
  });

  it.each(['', '10.0.0', '10.0.0.256', '010.0.0.1', '10.0.0.1/8', 'fe80::1%eth0', '1::2::3', 'localhost'])(
    '%j is none',
    (text) => expect(parseIp(text)).toBeUndefined(),
  );

  it('come back as they were, in either family', () => {
    const v4 = fc.record({ family: fc.constant(4 as const), value: fc.bigInt(0n, (1n << 32n) - 1n) });
    const v6 = fc.record({ family: fc.constant(6 as const), value: fc.bigInt(0n, (1n << 128n) - 1n) });
    fc.assert(
      fc.property(fc.oneof(v4, v6), (address) => {
        const text = formatIp(address);
        expect(address.family === 4 || isIPv6(text)).toBe(true);
        expect(parseIp(text)).toEqual(address);
      }),
    );
  });
});

describe('blocks', () => {
  it('begin at their first address, and remember the one that was written', () => {
    const read = parseCidr('10.1.2.3/16');
    expect(read && formatCidr(read.block)).toBe('10.1.0.0/16');
    expect(read && formatIp({ family: 4, value: read.address })).toBe('10.1.2.3');
    expect(read && sizeOf(read.block)).toBe(65536n);
    expect(formatCidr(blockAt(6, parseIp('fd00::1:5')?.value ?? 0n, 64))).toBe('fd00::/64');
  });

  it.each(['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '/8', 'fd00::/129', '10.0.0.0/8/9', 'x/8'])(
    '%j is none',
    (text) => expect(parseCidr(text)).toBeUndefined(),
  );

  it('hold and overlap what lies in them', () => {
    const block = (text: string): ReturnType<typeof blockAt> => {
      const read = parseCidr(text);
      if (!read) throw new Error(text);
      return read.block;
    };
    const at = (text: string): NonNullable<ReturnType<typeof parseIp>> => {
      const read = parseIp(text);
      if (!read) throw new Error(text);
      return read;
    };
    expect(holds(block('10.0.1.0/24'), at('10.0.1.255'))).toBe(true);
    expect(holds(block('10.0.1.0/24'), at('10.0.2.0'))).toBe(false);
    expect(holds(block('0.0.0.0/0'), at('::1'))).toBe(false);
    expect(overlaps(block('10.0.0.0/8'), block('10.9.0.0/16'))).toBe(true);
    expect(overlaps(block('10.9.0.0/16'), block('10.0.0.0/8'))).toBe(true);
    expect(overlaps(block('10.0.0.0/24'), block('10.0.1.0/24'))).toBe(false);
    expect(overlaps(block('0.0.0.0/0'), block('::/0'))).toBe(false);
  });
});
