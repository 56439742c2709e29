import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SwarmError } from '../base/errors.ts';
import { expressionText, hasNodeConstraint, parseExpression, parseExpressions } from './expression.ts';

const parse = (text: string) => parseExpression('constraint', text);

describe('parseExpression', () => {
  it('reads key, operator and value', () => {
    expect(parse('node==core-01')).toMatchObject({
      key: 'node',
      operator: '==',
      value: 'core-01',
      soft: false,
    });
    expect(parse('com.example.zone!=~b')).toMatchObject({
      key: 'com.example.zone',
      operator: '!=',
      value: 'b',
      soft: true,
    });
    expect(parse('_node==_a b').value).toBe('_a b');
    expect(expressionText(parse('node!=~a'))).toBe('node!=a');
  });

  it.each([
    ['node', 'One of operator ==, != is expected'],
    ['node=core', 'One of operator ==, != is expected'],
    ['', 'One of operator ==, != is expected'],
    ['1node==a', "Key '1node' is invalid"],
    ['n==a', "Key 'n' is invalid"],
    ['==a', "Key '' is invalid"],
    ['node ==a', "Key 'node ' is invalid"],
    ['no*de==a', "Key 'no*de' is invalid"],
    ['node!=a==b', "Key 'node!=a' is invalid"],
    ['node==', "Value '' is invalid"],
    ['node==~', "Value '~' is invalid"],
    ['node==~~a', "Value '~~a' is invalid"],
    ['node==a,b', "Value 'a,b' is invalid"],
    ['node==a@b', "Value 'a@b' is invalid"],
    ['node==a\u00e9', "Value 'a\u00e9' is invalid"],
  ])('refuses %j', (text, message) => {
    expect(() => parse(text)).toThrow(new SwarmError('invalid', message));
  });

  it.each(['/(/', '/)/', '/[a/', '/a**/', '/*a/', '/(?x)a/', '/a\\/', '/[z-a]/', '/[[:foo:]]/', '/\\pL/'])(
    'refuses the pattern %s and says why',
    (value) => {
      expect(() => parse(`node==${value}`)).toThrow(/^Value '.*' is invalid: the pattern /);
    },
  );

  it('bounds what it takes', () => {
    expect(() => parse(`node==${'a'.repeat(3000)}`)).toThrow(/^Value 'a{200}…' is invalid$/);
    expect(() => parse(`node==/${'a'.repeat(600)}/`)).toThrow(/the pattern is too long$/);
    expect(() => parseExpressions('affinity', Array<string>(129).fill('image==a'))).toThrow(SwarmError);
    expect(parseExpressions('affinity', ['image==a', 'image==b'])).toHaveLength(2);
  });

  it('throws nothing but SwarmError, whatever the text', () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.string({
        unit: fc.constantFrom('/', '(', ')', '[', ']', '*', '+', '?', '\\', '|', 'a', '~', '^', '-', ':'),
      }),
    );
    fc.assert(
      fc.property(hostile, fc.string(), (value, subject) => {
        try {
          expect(typeof parse(`node==${value}`).matcher.test(subject)).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(SwarmError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

it('knows a tie to a node', () => {
  expect(hasNodeConstraint([parse('node==a')])).toBe(true);
  expect(hasNodeConstraint([parse('node==~a')])).toBe(false);
  expect(hasNodeConstraint([parse('node!=a')])).toBe(false);
  expect(hasNodeConstraint([parse('zone==a')])).toBe(false);
});
