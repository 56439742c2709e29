import { expect, test } from 'vitest';
import { Bell } from '../base/bell.ts';
import { LateBell } from './late-bell.ts';

test('of several wishes the soonest rings, once', async () => {
  const waits: { readonly ms: number; readonly end: () => void; readonly signal: AbortSignal }[] = [];
  const clock = {
    nowMs: () => 0,
    pause: (ms: number, signal: AbortSignal) =>
      new Promise<void>((end) => {
        waits.push({ ms, end, signal });
      }),
  };
  const bell = new Bell();
  let rings = 0;
  const stop = new AbortController();
  const hearing = (async () => {
    while (await bell.heard(stop.signal)) rings++;
  })();
  const late = new LateBell(bell, clock);
  late.ringIn(1000, stop.signal);
  late.ringIn(2000, stop.signal);
  late.ringIn(50, stop.signal);
  late.ringIn(60, stop.signal);
  expect(waits.map(({ ms, signal }) => [ms, signal.aborted])).toEqual([
    [1000, true],
    [50, false],
  ]);
  for (const { end } of waits) end();
  await new Promise(setImmediate);
  expect(rings).toBe(1);
  late.ringIn(1000, stop.signal);
  expect(waits).toHaveLength(3);
  stop.abort();
  await hearing;
});
