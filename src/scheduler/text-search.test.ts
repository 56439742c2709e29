import { describe, expect, it } from 'vitest';
import { anySearch, textSearch } from './text-search.ts';

describe('textSearch', () => {
  it.each([
    ['web', 'my-web-1', true],
    ['^web', 'my-web-1', false],
    ['^web$', 'web', true],
    ['web$', 'my-web', true],
    ['^web-[0-9]{2}$', 'web-12', true],
    ['^web-[0-9]{2}$', 'web-123', false],
    ['^(web|db)_.*', 'db_1', true],
    ['a{', 'a{', true],
    ['(', '(', false],
    ['((a{1000}){1000}){1000}', 'a', false],
    ['x'.repeat(600) + '*', 'x'.repeat(600), false],
  ])('%s in %s', (pattern, text, expected) => {
    expect(textSearch(pattern)(text)).toBe(expected);
  });

  it('takes a time in proportion, where the engine of the language would take for ever', () => {
    const started = performance.now();
    expect(textSearch('(a+)+$')(`${'a'.repeat(4000)}b`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('anySearch', () => {
  it('matches any name by any pattern, and a whole name whatever it reads as', () => {
    expect(anySearch(['^db$', 'we'])(['core-01/web', 'web'])).toBe(true);
    expect(anySearch(['a('])(['a('])).toBe(true);
    expect(anySearch(['a('])(['a'])).toBe(false);
  });
});
