import { describe, expect, it } from 'vitest';
import { pathPattern } from './path-match.ts';

describe('pathPattern', () => {
  it.each([
    ['redis', 'redis', true],
    ['red*', 'redis', true],
    ['*', 'foo/bar', false],
    ['*/*', 'foo/bar', true],
    ['foo/*', 'foo/bar:1', true],
    ['r?dis', 'redis', true],
    ['r?dis', 'r/dis', false],
    ['[a-r]edis', 'redis', true],
    ['[^a-r]edis', 'redis', false],
    ['[]a]', 'a', 'syntax error'],
    ['[a', 'a', 'syntax error'],
    ['a\\', 'a', 'syntax error'],
    ['\\*', '*', true],
    ['\\**', '*x', true],
    ['a.c', 'abc', false],
    ['***************************x', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', false],
    [`${'*a'.repeat(40)}b`, 'a'.repeat(250), false],
    ['*a*b*c', 'xaybzc', true],
    ['*a*b*c', 'xaybzcd', false],
    ['a*/b*c', 'axy/bzc', true],
    ['a*b', 'a/b', false],
    ['a*a', 'a', false],
    ['', '', true],
    ['[z-a]', 'm', false],
    ['[\\]]', ']', true],
  ] as const)('%s against %s', (pattern, text, expected) => {
    if (typeof expected === 'string') expect(() => pathPattern(pattern)).toThrow(expected);
    else expect(pathPattern(pattern).test(text)).toBe(expected);
  });
});
