import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globMatcher, listMatcher, valueMatcher } from './matcher.ts';
import { compileRegexp } from './regexp.ts';

describe('globs', () => {
  it.each([
    ['core-01', 'core-01', true],
    ['core-01', 'core-012', false],
    ['*', '', true],
    ['core-*', 'core-', true],
    ['*node*', 'my-node-1', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*a', 'a', false],
    ['a*b*', 'ab', true],
    ['redis:3.2', 'redis:3x2', false],
    ['a|b', 'a', false],
    ['a.*', 'abc', false],
  ])('%j and %j: %j', (glob, subject, matches) => {
    expect(globMatcher(glob).test(subject)).toBe(matches);
  });

  it('match what the same regular expression matches', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 });
    const subject = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 });
    fc.assert(
      fc.property(text, subject, (glob, other) => {
        const pattern = new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
        expect(globMatcher(glob).test(other)).toBe(pattern.test(other));
      }),
      { numRuns: 3000 },
    );
  });

  it('tell plain text from patterns', () => {
    expect(valueMatcher('core-01').literal).toBe('core-01');
    expect(valueMatcher('/').literal).toBe('/');
    expect(valueMatcher('core*').literal).toBeUndefined();
    expect(valueMatcher('/core/').literal).toBeUndefined();
  });
});

describe('lists', () => {
  it('match any of their names', () => {
    const list = listMatcher('core-01|core-02|edge-*');
    expect(['core-01', 'core-02', 'edge-9', 'core-03', 'core-01|core-02'].map(list.test)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('regular expressions', () => {
  it.each([
    ['', 'anything', true],
    ['ore', 'core-01', true],
    ['^core-0[1-3]$', 'core-02', true],
    ['^core-0[1-3]$', 'core-04', false],
    ['(?i)^[a-b]+c*(n|b)$', 'ABcccN', true],
    ['^[a-b]+c*(n|b)$', 'ABcccN', false],
    ['(?i:CORE)-X', 'core-X', true],
    ['(?i:CORE)-X', 'core-x', false],
    ['a(?i)b|c', 'aB', true],
    ['a(?i)b|c', 'C', true],
    ['(?-i)a', 'A', false],
    ['^(a|b|)+$', 'abab', true],
    ['\\d+\\.\\d+', '4.19', true],
    ['\\d+\\.\\d+', '4x19', false],
    ['^[^0-9]+$', 'abc', true],
    ['^[^0-9]+$', 'ab1', false],
    ['(?i)^[^a]$', 'A', false],
    ['^[]a]$', ']', true],
    ['^[a\\-z]$', '-', true],
    ['^[a-]$', '-', true],
    ['^[[:digit:]x]+$', '12x', true],
    ['^[\\w.]+$', 'a_1.b', true],
    ['\\bcore\\b', 'a core b', true],
    ['\\bcore\\b', 'score', false],
    ['\\Bore', 'core', true],
    ['^.$', '\n', false],
    ['(?s)^.$', '\n', true],
    ['(?m)^b$', 'a\nb', true],
    ['^b$', 'a\nb', false],
    ['\\Aab\\z', 'ab', true],
    ['^a??b$', 'ab', true],
    ['\\x41', 'A', true],
    ['^\\S+$', 'é', true],
    ['^(ab){2}$', 'abab', true],
    ['^a{1,2}$', 'aaa', false],
    ['a{x', 'a{x', true],
  ])('%j on %j: %j', (pattern, subject, matches) => {
    expect(compileRegexp(pattern)(subject)).toBe(matches);
  });

  it('agree with the engine of the language', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(a|b)', '(ab)', '\\w', '^', '$', '(a|)');
    const repeat = fc.constantFrom(
      '',
      '',
      '*',
      '+',
      '?',
      '*?',
      '{0}',
      '{2}',
      '{1,}',
      '{0,2}',
      '{1,2}?',
      '{,2}',
    );
    const piece = fc.tuple(atom, repeat).map(([one, how]) => (/[\^$]$/.test(one) ? one : one + how));
    const pattern = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
    const subject = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 10 });
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 3 }), subject, (choices, text) => {
        const source = choices.join('|');
        expect(compileRegexp(source)(text)).toBe(new RegExp(source).test(text));
      }),
      { numRuns: 5000 },
    );
  });

  it('take a time in proportion, however they nest', () => {
    const subject = 'a'.repeat(4000);
    for (const pattern of [
      '^(a+)+$',
      '^(a|a)*b$',
      '^(a*)*b',
      `${'a*'.repeat(100)}b`,
      `${'(a?'.repeat(80)}${')*'.repeat(80)}b$`,
    ]) {
      compileRegexp(pattern)(subject + '!');
    }
    expect(valueMatcher('/a/').test('a'.repeat(5000))).toBe(false);
  }, 5000);
});
