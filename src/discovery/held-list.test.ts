import { expect, test } from 'vitest';
import { HeldList, readRegistrations, type Listing } from './held-list.ts';

const GRACE_MS = 1000;

function listing(...values: string[]): Listing {
  return { registrations: values.map((value) => ({ key: `nodes/${value}`, value })) };
}

function entries(...addresses: string[]): object {
  return { kind: 'entries', entries: addresses.map((address) => ({ address })) };
}

const missing = { kind: 'trouble', message: expect.stringContaining('registrations are missing') as unknown };
const trouble = (message: string): object => ({ kind: 'trouble', message });

test('shows the first list and every change, and nothing where there is none', () => {
  const list = new HeldList(GRACE_MS);
  expect(list.listed(listing(), 0)).toEqual([entries()]);
  expect(list.listed(listing(), 1)).toEqual([]);
  expect(list.listed(listing('a:1', 'b:1'), 2)).toEqual([entries('a:1', 'b:1')]);
  expect(list.listed(listing('b:1', 'a:1', 'a:1'), 3)).toEqual([]);
  expect(list.listed(listing('b:1'), 4)).toEqual([entries('b:1')]);
  expect(list.listed(listing(), 5)).toEqual([entries()]);
});

test('tells the same trouble once, and the list again after it', () => {
  const list = new HeldList(GRACE_MS);
  expect(list.broken('down')).toEqual([trouble('down')]);
  expect(list.broken('down')).toEqual([]);
  expect(list.listed(listing('a:1'), 0)).toEqual([entries('a:1')]);
  expect(list.broken('down')).toEqual([trouble('down')]);
  expect(list.broken('silent')).toEqual([trouble('silent')]);
  expect(list.broken('down')).toEqual([]);
  expect(list.listed(listing('a:1'), 1)).toEqual([entries('a:1')]);
});

test('after a break nothing leaves before its time', () => {
  const list = new HeldList(GRACE_MS);
  list.listed(listing('a:1', 'b:1', 'c:1'), 0);
  list.broken('down');
  expect(list.heldUntil).toBeUndefined();
  expect(list.listed(listing(), 100)).toEqual([missing]);
  expect(list.heldUntil).toBe(100 + GRACE_MS);
  expect(list.listed(listing('a:1'), 200)).toEqual([]);
  expect(list.listed(listing('a:1', 'd:1'), 300)).toEqual([entries('a:1', 'd:1', 'b:1', 'c:1'), missing]);
  expect(list.tick(100 + GRACE_MS - 1)).toEqual([]);
  expect(list.tick(100 + GRACE_MS)).toEqual([entries('a:1', 'd:1')]);
  expect(list.heldUntil).toBeUndefined();
});

test('while the store cannot be followed nothing is due', () => {
  const list = new HeldList(GRACE_MS);
  list.listed(listing('a:1', 'b:1'), 0);
  list.broken('down');
  list.listed(listing('a:1'), 100);
  list.broken('down');
  expect(list.heldUntil).toBeUndefined();
  expect(list.tick(100 + GRACE_MS)).toEqual([]);
});

test('the end of a break is told where other trouble stays', () => {
  const list = new HeldList(GRACE_MS);
  const noted = { ...listing('a:1'), note: 'look elsewhere' };
  list.listed(noted, 0);
  expect(list.broken('down')).toEqual([trouble('down')]);
  expect(list.listed(noted, 1)).toEqual([trouble('look elsewhere')]);
  expect(list.broken('down')).toEqual([trouble('down')]);
});

test('what all returned is a list again', () => {
  const list = new HeldList(GRACE_MS);
  list.listed(listing('a:1', 'b:1'), 0);
  list.broken('down');
  list.listed(listing(), 100);
  expect(list.listed(listing('b:1', 'a:1'), 200)).toEqual([entries('b:1', 'a:1')]);
  expect(list.heldUntil).toBeUndefined();
});

test('a time to live that ran out while the store was away is held too', () => {
  const list = new HeldList(GRACE_MS);
  list.listed(listing('a:1', 'b:1'), 0);
  list.broken('down');
  expect(list.listed(listing('a:1', 'b:1'), 100)).toEqual([entries('a:1', 'b:1')]);
  expect(list.listed(listing(), 200)).toEqual([missing]);
  expect(list.tick(100 + GRACE_MS)).toEqual([entries()]);
});

test('what was removed at once stays, what ran out leaves', () => {
  const list = new HeldList(GRACE_MS);
  list.listed(listing('a:1', 'b:1'), 0);
  expect(list.listed({ ...listing(), removed: true }, 10)).toEqual([missing]);
  expect(list.listed(listing('a:1', 'b:1'), 20)).toEqual([entries('a:1', 'b:1')]);
  // One of them is as a person wants it.
  expect(list.listed({ ...listing('b:1'), removed: true }, 10 + GRACE_MS)).toEqual([entries('b:1')]);
});

test('says with a list what is to be known of it', () => {
  const list = new HeldList(GRACE_MS);
  expect(list.listed({ ...listing(), note: 'look elsewhere' }, 0)).toEqual([
    entries(),
    trouble('look elsewhere'),
  ]);
  expect(list.listed({ ...listing(), note: 'look elsewhere' }, 1)).toEqual([]);
  expect(list.listed(listing(), 2)).toEqual([entries()]);
});

test('leaves out what is no address and names it', () => {
  const { addresses, badEntry } = readRegistrations(listing('a:1', 'b:x', '10.0.0.1', 'no address', ''));
  expect(addresses).toEqual(['a:1', '10.0.0.1:2375']);
  expect(badEntry).toBe('left out: nodes/b:x: invalid node "b:x": expected host:port (and 1 more)');
});
