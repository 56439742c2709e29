import { expect, it } from 'vitest';
import { check } from './check.ts';
import { endOf, good, revision, seen, sight as fresh, update } from './samples.ts';

/** What says of itself that it may be old. */
const sight: typeof fresh = (when, objects, parts) => fresh(when, objects, { isStale: true, ...parts });

const { writes } = good();

it('finds a version that two updates were given', () => {
  const other = update('other', 'a', 1, [20, 35]);
  expect(check(good({ writes: [...writes, other] }))).toEqual([
    'service a at version 1 was updated twice: changed, other',
  ]);
  for (const outcome of ['unknown', 'refused'] as const)
    expect(check(good({ writes: [...writes, { ...other, outcome }] }))).toEqual([]);
});

it('finds a version that is two things', () => {
  const sights = [sight([31, 32], [seen('a', 3, 'made')], { manager: 1 })];
  expect(check(good({ sights }))).toEqual(['service a at version 3 is two things: made, changed']);
});

it('finds a version that went backwards on one manager within one start', () => {
  const [newer, older] = [[seen('a', 3, 'changed')], [seen('a', 1, 'made')]];
  const found = check(good({ sights: [sight([31, 32], newer), sight([33, 34], older)] }));
  expect(found).toEqual(['manager 0 (start 0) shows service a at version 1 after 3']);
  for (const other of [{ life: 1 }, { manager: 1 }])
    expect(check(good({ sights: [sight([31, 32], newer), sight([33, 34], older, other)] }))).toEqual([]);
  // Of two that were asked for at one time, either may be the older one.
  expect(check(good({ sights: [sight([31, 36], newer), sight([33, 34], older)] }))).toEqual([]);
});

it('finds what is there again after it was gone', () => {
  const there = [seen('a', 3, 'changed')];
  const sights = [sight([31, 32], there), sight([33, 34], []), sight([35, 36], there)];
  expect(check(good({ sights }))[0]).toBe('manager 0 (start 0) shows service a again, which was gone');
  const overlapping = [sight([31, 32], there), sight([33, 40], []), sight([35, 36], there)];
  const end = endOf();
  expect(check(good({ writes: [], sights: overlapping, end })).join()).not.toMatch(/again/);
});

it('finds a revision that went backwards', () => {
  const [first, then] = [revision([0, 10], 5), revision([11, 12], 4)];
  expect(check(good({ revisions: [first, then] }))).toEqual(['manager 0 says revision 4 after 5']);
  for (const other of [{ life: 1 }, { manager: 1 }, { beganMs: 9 }])
    expect(check(good({ revisions: [first, { ...then, ...other }] }))).toEqual([]);
});
