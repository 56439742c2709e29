import { describe, expect, it } from 'vitest';
import { digitsOf, parseExact } from './exact-json.ts';

describe('JSON that is read and written again', () => {
  it.each([
    '{"PidsLimit":9223372036854775807,"Memory":-9223372036854775808}',
    '{"timeNano":1795266012123456789,"text":"1795266012123456789"}',
    '[1,2.5,1e+21,"x",null,true,9007199254740991,9007199254740993]',
  ])('keeps %s', (text) => {
    expect(JSON.stringify(parseExact(text))).toBe(text);
  });

  it('gives plain numbers where they are exact', () => {
    expect(parseExact('{"a":9007199254740991,"b":"12345678901234567890"}')).toEqual({
      a: 9007199254740991,
      b: '12345678901234567890',
    });
  });

  it('tells the digits', () => {
    expect(digitsOf(parseExact('1795266012123456789'))).toBe('1795266012123456789');
    expect(digitsOf(12.5)).toBe('12');
    expect(digitsOf('12')).toBeUndefined();
  });

  it('refuses what is no JSON', () => {
    expect(() => parseExact('{"a":12345678901234567')).toThrow(SyntaxError);
  });
});
