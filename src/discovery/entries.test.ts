import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_ENTRIES, readEntries } from './entries.ts';

const read = (...texts: string[]): string[] =>
  readEntries(texts.map((text, index) => ({ text, where: `node ${index + 1}` }))).map(
    ({ address }) => address,
  );

test.each([
  ['10.0.0.1', ['10.0.0.1:2375']],
  ['10.0.0.1:2376', ['10.0.0.1:2376']],
  ['tcp://10.0.0.1:2376', ['10.0.0.1:2376']],
  ['core-01.example', ['core-01.example:2375']],
  ['[::1]', ['[::1]:2375']],
  ['[fe80::1%eth0]:1', ['[fe80::1%eth0]:1']],
  ['unix:///var/run/docker.sock', ['unix:///var/run/docker.sock']],
  ['10.0.0.[11:13]:2375', ['10.0.0.11:2375', '10.0.0.12:2375', '10.0.0.13:2375']],
  ['192.168.1.2:[2:4]375', ['192.168.1.2:2375', '192.168.1.2:3375', '192.168.1.2:4375']],
  ['core-[9:10]', ['core-9:2375', 'core-10:2375']],
  ['10.0.0.[7:7]', ['10.0.0.7:2375']],
])('%s', (text, addresses) => {
  expect(read(text)).toEqual(addresses);
});

test('the range of the reference reaches its last port', () => {
  expect(read('192.168.1.2:[2:20]375').at(-1)).toBe('192.168.1.2:20375');
});

test('drops duplicates and empty entries, keeps the order', () => {
  expect(read('b', '', 'a', 'b:2375', 'tcp://a')).toEqual(['b:2375', 'a:2375']);
});

test.each([
  ['10.0.0.[1:2].[3:4]', 'one range an entry'],
  ['10.0.0.[9:1]', 'the range runs backwards'],
  ['10.0.0.[1:99999999999]', 'a range holds at most'],
  ['10.0.0.[250:256]', 'not an IPv4 address'],
  ['10.0.1', 'not an IPv4 address'],
  ['a:0', 'the port must be between 1 and 65535'],
  ['a:65536', 'the port must be between 1 and 65535'],
  ['a:http', 'expected host:port'],
  ['a:1:2', 'expected host:port'],
  ['::1', 'expected host:port'],
  ['[::g]:1', 'not an IPv6 address'],
  ['a b', 'expected host:port'],
  ['a/b', 'expected host:port'],
  ['a@b', 'expected host:port'],
  ['unix://relative', 'absolute path'],
  ['[1:x]', 'not an IPv6 address'],
])('refuses %s', (text, why) => {
  // The name of what a range made may stand for the range.
  expect(() => read('good', text)).toThrow(/^node 2: invalid node "/);
  expect(() => read('good', text)).toThrow(why);
});

test('many ranges together are bounded too', () => {
  const texts = Array.from({ length: 3 }, (_, index) => `h${index}-[1:30000]`);
  expect(() => read(...texts)).toThrow(`more than ${MAX_ENTRIES} nodes`);
});

test('a range has as many entries as it says', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.nat(50), (from, more) => {
      expect(read(`h-[${from}:${from + more}]:1`)).toHaveLength(more + 1);
    }),
  );
});

test('any text gives entries or one line of error', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      try {
        read(text);
      } catch (error) {
        expect(String(error)).not.toContain('\n');
        expect(String(error).length).toBeLessThan(700);
      }
    }),
  );
});
