import { expect, test } from 'vitest';
import { newSeal, readSeal, sealLines } from './seal.ts';

test('a seal is read as it was set, with the settings of before', () => {
  const seal = newSeal(new Map([['net/ipv4/ip_forward', '0']]));
  const listing = sealLines('ip skep', seal)
    .filter((line) => line.startsWith('add rule'))
    .map((line) => `\t\t${line.replace('add rule ip skep seal ', '')}\n`);
  expect(readSeal(`table ip skep {\n\tchain seal {\n${listing.join('')}\t}\n}`)).toEqual(seal);
  expect(newSeal(new Map()).tag).not.toBe(seal.tag);
});

test('an emptied chain has none', () => {
  expect(readSeal('table ip skep {\n\tchain seal {\n\t}\n}')).toBeUndefined();
});
