import { describe, expect, it } from 'vitest';
import { filterFlag, matchesLabels, queryFilters, queryFlag, queryInt } from './query.ts';

const query = (text: string): URLSearchParams => new URLSearchParams(text);
const filters = (value: unknown): URLSearchParams =>
  query(`filters=${encodeURIComponent(JSON.stringify(value))}`);

describe('arguments of a query', () => {
  it.each([
    ['all=1', true],
    ['all=true', true],
    ['all=yes', true],
    ['all=', false],
    ['all=0', false],
    ['all=False', false],
    ['all=no', false],
    ['all=none', false],
    ['', false],
  ])('reads %s as Docker does', (text, value) => {
    expect(queryFlag(query(text), 'all')).toBe(value);
  });

  it('reads whole numbers and nothing else', () => {
    expect(queryInt(query('limit=3'), 'limit')).toBe(3);
    expect(queryInt(query('limit=-1'), 'limit')).toBe(-1);
    expect(queryInt(query(''), 'limit')).toBe(0);
    for (const wrong of ['x', '1.5', '1e3', '99999999999999999999']) {
      expect(() => queryInt(query(`limit=${wrong}`), 'limit')).toThrow(`parsing "${wrong}"`);
    }
  });
});

describe('filters', () => {
  it('reads both forms', () => {
    // As in Docker, the keys count, whatever stands behind them.
    expect([...queryFilters(filters({ name: { web: true, off: false } }))]).toEqual([
      ['name', ['web', 'off']],
    ]);
    expect([...queryFilters(filters({ name: ['web', 'cache'] }))]).toEqual([['name', ['web', 'cache']]]);
    expect(queryFilters(query('filters=null')).size).toBe(0);
    expect(queryFilters(query('')).size).toBe(0);
  });

  it.each([[[]], ['text'], [1], [{ name: 'web' }], [{ name: [1] }], [{ nope: ['x'] }]])(
    'refuses %j',
    (value) => {
      expect(() => queryFilters(filters(value), ['name'])).toThrow('invalid filter');
    },
  );

  it('refuses what is no JSON', () => {
    expect(() => queryFilters(query('filters={'))).toThrow('invalid filter');
  });

  it('reads flags', () => {
    expect(filterFlag(queryFilters(filters({ dangling: ['true'] })), 'dangling')).toBe(true);
    expect(filterFlag(queryFilters(filters({ dangling: { '0': true } })), 'dangling')).toBe(false);
    expect(filterFlag(queryFilters(filters({})), 'dangling')).toBeUndefined();
    expect(() => filterFlag(queryFilters(filters({ dangling: ['maybe'] })), 'dangling')).toThrow(
      'invalid filter',
    );
  });

  it('matches labels by key or by key and value', () => {
    const labels = { tier: 'front', empty: '' };
    expect(matchesLabels(labels, ['tier'])).toBe(true);
    expect(matchesLabels(labels, ['tier=front', 'empty='])).toBe(true);
    expect(matchesLabels(labels, ['tier=back'])).toBe(false);
    expect(matchesLabels(labels, ['toString'])).toBe(false);
  });
});
