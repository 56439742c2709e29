import { expect, it } from 'vitest';
import { check } from './check.ts';
import { creation, good } from './samples.ts';

it('finds what was refused without words', () => {
  const { writes } = good();
  const refused = { ...creation('no', '', [1, 2]), outcome: 'refused' as const };
  expect(check(good({ writes: [...writes, { ...refused, said: '' }] }))).toEqual([
    'manager 0 refused to create a service (no) without words',
  ]);
  expect(check(good({ writes: [...writes, { ...refused, said: 'no space left' }, refused] }))).toEqual([]);
});
