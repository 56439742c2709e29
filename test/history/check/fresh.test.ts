import { expect, it } from 'vitest';
import { check } from './check.ts';
import { creation, good, removal, seen, sight } from './samples.ts';

const { sights, writes } = good();
const [a1, a3, b2] = [seen('a', 1, 'made'), seen('a', 3, 'changed'), seen('b', 2, 'made-2')];

it('finds what was acknowledged before a list was asked for and is not in it, at any manager', () => {
  const at = (objects: Parameters<typeof sight>[1], parts = {}): string[] =>
    check(good({ sights: [...sights, sight([35, 36], objects, { manager: 1, ...parts })] }));
  expect(at([a3, b2])).toEqual([]);
  expect(at([b2])).toEqual(['manager 1 shows, at 35 ms, no service a: changed was acknowledged before']);
  expect(at([a1, b2])).toEqual([
    'manager 1 shows, at 35 ms, service a as of made: changed was acknowledged before',
  ]);
});

it('finds what is still shown after its removal was acknowledged', () => {
  const late = sight([55, 56], [a3, b2], { manager: 1 });
  expect(check(good({ sights: [...sights, late] }))).toEqual([
    'manager 1 shows, at 55 ms, service b, whose removal was acknowledged before',
  ]);
});

it('lets be old what says of itself that it may be', () => {
  const old = sight([55, 56], [b2], { manager: 1, isStale: true });
  expect(check(good({ sights: [...sights, old] }))).toEqual([]);
});

it('knows nothing of what was asked for at the same time, or may have been removed', () => {
  // The update was under way, and so was the removal.
  expect(check(good({ sights: [sight([25, 26], [a1, b2]), sight([45, 46], [a3])] }))).toEqual([]);
  const more = [creation('made-3', 'c', [0, 22]), removal('perhaps', 'c', [23, 29])];
  const unknown = more.map((write) =>
    write.kind === 'remove' ? { ...write, outcome: 'unknown' as const } : write,
  );
  expect(check(good({ writes: [...writes, ...unknown] }))).toEqual([]);
});
