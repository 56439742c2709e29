import { expect, it } from 'vitest';
import { check } from './check.ts';
import { good, seen, sight } from './samples.ts';
import type { End } from './types.ts';

const { end } = good();
const task = { id: 't', runs: true, isNew: true };
const service = { id: 'a', name: 'web', replicas: 1, tasks: [task] };

const at = (parts: Partial<End>): string[] => check(good({ end: { ...end, ...parts } }));

it('finds nothing where a service has what it asks for', () => {
  expect(at({ services: [service], containers: ['t'] })).toEqual([]);
});

it.each([
  ['too few', [], [], 'service web asks for 1 tasks and has 0 of 0'],
  ['one that does not run', [{ ...task, runs: false }], [], 'service web asks for 1 tasks and has 0 of 1'],
  ['an old one', [{ ...task, isNew: false }], ['t'], 'service web asks for 1 tasks and has 0 of 1'],
  ['too many', [task, { ...task, id: 'u' }], ['t', 'u'], 'service web asks for 1 tasks and has 2 of 2'],
  ['one on no engine', [task], [], 'task t runs on no engine'],
  ['one left on an engine', [task], ['t', 'u'], 'an engine runs task u, which is not to run'],
])('finds %s', (_, tasks, containers, words) => {
  expect(at({ services: [{ ...service, tasks }], containers })).toEqual([words]);
});

it('finds managers that differ', () => {
  const [first] = end.sights;
  const behind = sight([1_000, 1_001], [seen('a', 2, 'made')], { manager: 1 });
  const sights = first ? [first, behind] : [];
  expect(at({ sights }).at(-1)).toBe('managers 0 and 1 differ in services: a@3 changed | a@2 made');
});
