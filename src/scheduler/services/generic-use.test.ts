import { expect, it } from 'vitest';
import type { GenericResource } from '../../model/index.ts';
import { GenericUse } from './generic-use.ts';

const HAD: readonly GenericResource[] = [
  { kind: 'gpu', value: 'g0' },
  { kind: 'gpu', value: 'g1' },
  { kind: 'gpu', value: 'g2' },
  { kind: 'licence', value: 4 },
];

it('counts amounts and names', () => {
  const use = new GenericUse();
  expect(use.free(HAD, 'gpu')).toBe(3);
  expect(use.free(HAD, 'licence')).toBe(4);
  expect(use.free(HAD, 'other')).toBe(0);
});

it('claims the first names that are free, and gives them back', () => {
  const use = new GenericUse();
  const first = use.claim(HAD, [
    { kind: 'gpu', amount: 2 },
    { kind: 'licence', amount: 3 },
  ]);
  expect(first).toEqual([
    { kind: 'gpu', value: 'g0' },
    { kind: 'gpu', value: 'g1' },
    { kind: 'licence', value: 3 },
  ]);
  use.add(first, 1);
  expect([use.free(HAD, 'gpu'), use.free(HAD, 'licence')]).toEqual([1, 1]);
  expect(use.claim(HAD, [{ kind: 'gpu', amount: 1 }])).toEqual([{ kind: 'gpu', value: 'g2' }]);
  use.add(first, -1);
  expect([use.free(HAD, 'gpu'), use.free(HAD, 'licence')]).toEqual([3, 4]);
});

it('outlives a change of what the node has', () => {
  const use = new GenericUse();
  use.add(
    [
      { kind: 'gpu', value: 'g0' },
      { kind: 'licence', value: 3 },
    ],
    1,
  );
  expect(use.free([{ kind: 'licence', value: 2 }], 'licence')).toBe(-1);
  expect(use.free([], 'gpu')).toBe(0);
  expect(use.free([{ kind: 'gpu', value: 'g9' }], 'gpu')).toBe(1);
  expect(use.free([{ kind: 'gpu', value: 5 }], 'gpu')).toBe(5);
});

it('claims nothing of what the node lacks, or of nothing', () => {
  const use = new GenericUse();
  expect(
    use.claim(HAD, [
      { kind: 'other', amount: 1 },
      { kind: 'gpu', amount: 0 },
      { kind: 'licence', amount: -1 },
    ]),
  ).toEqual([]);
});
