import { expect, it } from 'vitest';
import { check } from './check.ts';
import { creation, endOf, good, seen, sight } from './samples.ts';

const writes = [creation('one', 'a', [0, 1]), creation('two', 'b', [0, 1])];

/** A history in which one answer showed these two, and they are there at the end. */
function pair(a: Parameters<typeof seen>[3], b: Parameters<typeof seen>[3]): string[] {
  const sights = [sight([2, 3], [seen('a', 1, 'one', a), seen('b', 2, 'two', b)])];
  return check(good({ writes, sights, end: endOf(seen('a', 1, 'one'), seen('b', 2, 'two')) }));
}

it('finds a port, an address and a name of two', () => {
  const [ports, addresses] = [['80/tcp'], ['net 10.0.0.2']];
  expect(pair({ ports }, { ports })).toEqual(['manager 0: port 80/tcp is given twice: a, b']);
  expect(pair({ addresses }, { addresses })).toEqual([
    'manager 0: address net 10.0.0.2 is given twice: a, b',
  ]);
  expect(pair({ name: 'n' }, { name: 'n' })).toEqual(['manager 0: service name n is given twice: a, b']);
});

it('finds nothing where they differ', () => {
  expect(pair({ ports: ['80/tcp'] }, { ports: ['80/udp'] })).toEqual([]);
  expect(pair({ addresses: ['net 10.0.0.2'] }, { addresses: ['other 10.0.0.2'] })).toEqual([]);
});

it('finds an address of a service and a task at the end', () => {
  const addresses = ['net 10.0.0.2'];
  const end = endOf(seen('a', 1, 'one', { addresses }), seen('b', 2, 'two'));
  const task = sight([1_000, 1_001], [seen('t', 3, '', { addresses })], { table: 'task' });
  const sights = [...end.sights, task, { ...task, manager: 1 }];
  expect(check(good({ writes, sights: [], end: { ...end, sights } }))).toEqual([
    'manager 0 at the end: address net 10.0.0.2 is given twice: a, t',
    'manager 1 at the end: address net 10.0.0.2 is given twice: a, t',
  ]);
});
