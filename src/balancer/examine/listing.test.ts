import { expect, test } from 'vitest';
import { differences } from './listing.ts';

const rule = (chain: string, handle: number, target: string): unknown => ({
  rule: { family: 'ip', table: 'skep', chain, handle, expr: [{ goto: { target } }] },
});
const set = (handle: number, elem: unknown[]): unknown => ({
  set: { family: 'ip', table: 'skep', name: 'ports', handle, type: 'inet_service', elem },
});
const chain = (name: string, handle: number): unknown => ({
  chain: { family: 'ip', table: 'skep', name, handle },
});
const listing = (...nftables: unknown[]): string => JSON.stringify({ nftables });

const wished = listing(chain('a', 1), chain('b', 2), set(3, [80, 81]), rule('a', 4, 'b'), rule('a', 5, 'c'));

test('handles, the order of elements and the seal make no difference', () => {
  const found = [chain('seal', 7), rule('seal', 8, 'x'), chain('b', 9), chain('a', 10), set(11, [81, 80])];
  expect(differences(wished, listing(...found, rule('a', 14, 'b'), rule('a', 15, 'c')))).toEqual([]);
});

test('other rules, another order of rules, and what is missing or too much do', () => {
  const found = [chain('a', 1), chain('c', 2), set(3, [80]), rule('a', 4, 'c'), rule('a', 5, 'b')];
  expect(differences(wished, listing(...found))).toEqual(['chain a', 'chain b', 'chain c', 'set ports']);
});
