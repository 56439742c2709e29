import { expect, test } from 'vitest';
import { tabColumns } from './tab-columns.ts';

test('a column is as wide as its widest cell, to the next tab stop', () => {
  expect(tabColumns(['a\tx', '1234567\ty', '12345678\tz'])).toEqual([
    'a\t\tx',
    '1234567\t\ty',
    '12345678\tz',
  ]);
});

test('a line without the cell ends the column', () => {
  expect(tabColumns(['a\tx', 'plain', '12345678\tz'])).toEqual(['a\tx', 'plain', '12345678\tz']);
});

test('columns behind the first are lined up within their own lines', () => {
  expect(tabColumns(['12345678\tx', '\t1234567\ty', '\t12345678\tz'])).toEqual([
    '12345678\tx',
    '\t\t1234567\t\ty',
    '\t\t12345678\tz',
  ]);
});
