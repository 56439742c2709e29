import { expect, test } from 'vitest';
import { LogMarks } from './log-marks.ts';
import type { LogLine } from './types.ts';

const SILENT_MS = 10_000;

function scene(fromTheBeginning = true) {
  let ms = 0;
  const marks = new LogMarks({ nowMs: () => ms, fromTheBeginning });
  const take = (taskId: string, ns: number, stream: LogLine['stream'] = 'stdout', nodeId = 'n1'): boolean =>
    marks.take({
      ...{ serviceId: 's', nodeId, taskId, stream },
      timestampNs: BigInt(ns),
      data: Buffer.from('x'),
      attrs: [],
    });
  return { marks, take, pass: (by: number) => (ms += by) };
}

test('lines that are sent again are left out, by task, stream and moment', () => {
  const { marks, take } = scene();
  expect([take('a', 5), take('a', 5), take('a', 6), take('a', 6), take('a', 6, 'stderr')]).not.toContain(
    false,
  );
  marks.again();
  expect([take('a', 5), take('a', 5), take('a', 6), take('a', 6), take('a', 6)]).toEqual([
    ...[false, false, false, false],
    true,
  ]);
  expect([take('a', 6, 'stderr'), take('a', 6, 'stderr')]).toEqual([false, true]);
  expect([take('b', 1), take('a', 7)]).toEqual([true, true]);
});

test('nothing is left out while nothing is sent again: clocks may be put back', () => {
  const { marks, take } = scene();
  expect([take('a', 9), take('a', 4)]).toEqual([true, true]);
  marks.again();
  expect([take('a', 9), take('a', 10), take('a', 4)]).toEqual([false, true, true]);
});

test('what was sent again in part is left out when it is sent once more', () => {
  const { marks, take } = scene();
  take('a', 5);
  take('a', 6);
  marks.again();
  expect(take('a', 5)).toBe(false);
  marks.again();
  expect([take('a', 5), take('a', 6), take('a', 7)]).toEqual([false, false, true]);
});

test('at first all is read again, or what was not the last when only the last was wanted', () => {
  const all = scene(true);
  const some = scene(false);
  for (const { take } of [all, some]) {
    take('a', 50);
    take('b', 30);
  }
  expect([all.marks.from('n1'), some.marks.from('n1'), some.marks.from('n2')]).toEqual([
    undefined,
    30n,
    undefined,
  ]);
});

test('a task that is silent has not all others read again', () => {
  const { marks, take, pass } = scene(false);
  take('quiet', 1);
  for (let at = 100; at < 200; at += 10) {
    take('loud', at);
    pass(SILENT_MS / 2);
  }
  expect(marks.from('n1')).toBeGreaterThan(100n);
  expect(marks.from('n1')).toBeLessThan(190n);
  marks.again();
  expect([take('quiet', 1), take('loud', 190), take('quiet', 2)]).toEqual([false, false, true]);
});

test('one that still sends what is old is waited for', () => {
  const { marks, take, pass } = scene();
  for (let at = 0; at < 10; at += 1) {
    take('late', at);
    take('loud', 1_000 + at);
    pass(SILENT_MS);
  }
  expect(marks.from('n1')).toBe(9n);
});

test('nodes have clocks of their own', () => {
  const { marks, take } = scene(false);
  take('a', 5, 'stdout', 'n1');
  take('b', 900, 'stdout', 'n2');
  expect(marks.all()).toEqual(
    new Map([
      ['n1', 5n],
      ['n2', 900n],
    ]),
  );
  marks.again('n2');
  expect([take('a', 5, 'stdout', 'n1'), take('b', 900, 'stdout', 'n2')]).toEqual([true, false]);
});

test('what a reader before had read is known', () => {
  const marks = new LogMarks({ nowMs: () => 0, fromTheBeginning: true, goOnFrom: new Map([['n1', 7n]]) });
  expect(marks.from('n1')).toBe(7n);
});
