import { expect, test } from 'vitest';
import { ManagerTurns } from './client-turns.ts';

let nowMs = 0;
const turns = (): ManagerTurns =>
  new ManagerTurns({ nowMs: () => nowMs, pause: () => Promise.resolve() }, () => 0);

/** Who is asked, one after the other, where all fail alike. */
const asked = (from: ManagerTurns, managers: readonly string[], times: number): (string | undefined)[] =>
  Array.from({ length: times }, () => {
    const addr = from.next(managers);
    if (addr !== undefined) from.failed(addr, false);
    return addr;
  });

test('each in its turn, however they are listed', () => {
  const one = turns();
  expect([...asked(one, ['a', 'b', 'c'], 2), ...asked(one, ['c', 'b', 'a'], 2)]).toEqual([
    'a',
    'b',
    'c',
    'a',
  ]);
});

test('one that was found silent is not asked while another is known, for a while', () => {
  const one = turns();
  one.failed('a', true);
  expect(asked(one, ['a', 'b'], 4)).toEqual(['b', 'b', 'b', 'b']);
  expect(one.next(['a'])).toBe('a');
  one.failed('a', true);
  nowMs += 10_000;
  expect(asked(one, ['a', 'b'], 2).sort()).toEqual(['a', 'b']);
});

test('where all are silent, each is asked in the order in which they were found so', () => {
  const one = turns();
  for (const addr of ['b', 'c', 'a', 'b']) one.failed(addr, true);
  const order = Array.from({ length: 4 }, () => {
    const addr = one.next(['a', 'b', 'c']) ?? '';
    one.failed(addr, true);
    return addr;
  });
  expect(order).toEqual(['c', 'a', 'b', 'c']);
});

test('one that was silent and then said something is asked as any other', () => {
  const one = turns();
  for (const isSilent of [true, false]) one.failed('a', isSilent);
  expect(asked(one, ['a', 'b'], 2).sort()).toEqual(['a', 'b']);
});

test('one that does not know the service is not asked for long, others or not; a silent one is', () => {
  const one = turns();
  one.setUnaware('a');
  one.failed('b', true);
  expect(one.next(['a', 'b'])).toBe('b');
  expect(one.next(['a'])).toBeUndefined();
  one.forgetUnaware();
  expect(one.next(['a'])).toBe('a');
  one.setUnaware('a');
  nowMs += 5 * 60_000;
  expect(one.next(['a'])).toBe('a');
});

test('one that is known no more is forgotten', () => {
  const one = turns();
  one.failed('a', true);
  one.next(['b']);
  expect(asked(one, ['a', 'b'], 2).sort()).toEqual(['a', 'b']);
});
