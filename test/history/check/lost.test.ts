import { describe, expect, it } from 'vitest';
import { check } from './check.ts';
import { creation, endOf, good, removal, seen, sight, update } from './samples.ts';

const made = creation('made', 'a', [0, 10]);
const changed = update('changed', 'a', 1, [20, 30]);
const later = update('later', 'a', 3, [40, 50]);

const quiet = { sights: [], revisions: [] };

it('finds nothing in a good history', () => {
  expect(check(good())).toEqual([]);
});

describe('an object', () => {
  it('that was acknowledged is there', () => {
    const found = check(good({ ...quiet, writes: [made], end: endOf() }));
    expect(found).toEqual([
      'manager 0: service a is lost (create made was acknowledged)',
      'manager 1: service a is lost (create made was acknowledged)',
    ]);
  });

  it('whose change was acknowledged is there, too', () => {
    const writes = [{ ...made, outcome: 'unknown', id: '' } as const, changed];
    expect(check(good({ ...quiet, writes, end: endOf() }))).toHaveLength(2);
  });

  it.each(['acknowledged', 'unknown'] as const)('may be gone after a removal: %s', (outcome) => {
    const writes = [made, { ...removal('removed', 'a', [20, 30]), outcome }];
    expect(check(good({ ...quiet, writes, end: endOf() }))).toEqual([]);
  });

  it('whose removal was refused is there', () => {
    const writes = [made, { ...removal('removed', 'a', [20, 30]), outcome: 'refused' } as const];
    expect(check(good({ ...quiet, writes, end: endOf() }))).toHaveLength(2);
  });

  it('whose removal was acknowledged is gone', () => {
    const writes = [made, removal('removed', 'a', [20, 30])];
    const found = check(good({ ...quiet, writes, end: endOf(seen('a', 1, 'made')) }));
    expect(found[0]).toBe('manager 0: service a is there, and its removal was acknowledged');
  });

  it('may be there, or not, when its creation was unknown', () => {
    const writes = [{ ...made, outcome: 'unknown', id: '' } as const];
    expect(check(good({ ...quiet, writes, end: endOf(seen('a', 1, 'made')) }))).toEqual([]);
    expect(check(good({ ...quiet, writes, end: endOf() }))).toEqual([]);
  });

  it('that nobody asked for, or that was refused, is not there', () => {
    const end = endOf(seen('a', 1, 'made'));
    const refused = { ...made, outcome: 'refused', id: '' } as const;
    expect(check(good({ ...quiet, writes: [refused], end }))[0]).toMatch(/as was refused: made$/);
    expect(check(good({ ...quiet, writes: [], end }))[0]).toMatch(/as nobody asked for: 'made'$/);
  });

  it('that was refused was not there meanwhile either, nor anything before it was asked for', () => {
    const refused = { ...changed, outcome: 'refused' } as const;
    const sights = [sight([31, 32], [seen('a', 3, 'changed')])];
    const end = endOf(seen('a', 4, 'later'));
    expect(check(good({ writes: [made, refused, later], sights, end }))).toEqual([
      'manager 0 shows service name-a (a) as was refused: changed',
    ]);
    const early = [sight([15, 16], [seen('a', 3, 'changed')])];
    expect(check(good({ writes: [made, changed, later], sights: early, end }))).toEqual([
      'manager 0 shows service name-a (a) before it was asked for: changed',
    ]);
  });
});

describe('the last update', () => {
  it('that was acknowledged holds', () => {
    const end = endOf(seen('a', 3, 'changed'));
    const found = check(good({ ...quiet, writes: [made, changed, later], end }));
    expect(found[0]).toBe('manager 0: service a is as of changed: later is lost');
    const first = endOf(seen('a', 1, 'made'));
    expect(check(good({ ...quiet, writes: [made, changed], end: first }))).toHaveLength(2);
  });

  it('is the one of the highest version, whatever was answered first', () => {
    const writes = [made, { ...later, beganMs: 15, endedMs: 18 }, changed];
    expect(check(good({ ...quiet, writes, end: endOf(seen('a', 4, 'later')) }))).toEqual([]);
  });

  it('may be an unknown one of a higher version, but not of a lower one', () => {
    const unknown = { ...later, outcome: 'unknown' } as const;
    const end = endOf(seen('a', 4, 'later'));
    expect(check(good({ ...quiet, writes: [made, changed, unknown], end }))).toEqual([]);
    const before = { ...changed, outcome: 'unknown' } as const;
    const overtaken = endOf(seen('a', 4, 'changed'));
    expect(check(good({ ...quiet, writes: [made, before, later], end: overtaken }))).toHaveLength(2);
  });
});
