import { describe, expect, it } from 'vitest';
import { sameValue } from './same-value.ts';

describe('sameValue', () => {
  it.each([
    [1, 1],
    [
      { a: 1, b: [1, { c: 'x' }] },
      { b: [1, { c: 'x' }], a: 1 },
    ],
    [{ a: undefined, b: 1 }, { b: 1 }],
    [{ a: { b: undefined } }, { a: {} }],
    [JSON.parse('{"__proto__":{"a":1}}'), JSON.parse('{"__proto__":{"a":1}}')],
    [undefined, undefined],
  ])('%j is %j', (a, b) => expect(sameValue(a, b)).toBe(true));

  it.each([
    [1, 2],
    [{ a: 1 }, { a: 1, b: 1 }],
    [{ a: 1 }, { b: 1 }],
    [
      [1, 2],
      [2, 1],
    ],
    [[], {}],
    [{}, null],
    [undefined, {}],
    [JSON.parse('{"__proto__":{"a":1}}'), {}],
    [{ a: { b: 1 } }, { a: { b: '1' } }],
  ])('%j is not %j', (a, b) => {
    expect(sameValue(a, b)).toBe(false);
    expect(sameValue(b, a)).toBe(false);
  });
});
