import { expect, it } from 'vitest';
import { FakeTimes } from '../../test/simulation/index.ts';
import { seeded } from '../../test/seeded.ts';
import { Alarms } from './alarms.ts';

it('rings in order, once each, at the moment that was set last', async () => {
  const times = new FakeTimes(0);
  const alarms = new Alarms<string>(times);
  const rung: string[] = [];
  const end = new AbortController();
  alarms.set('early', 5);
  const running = alarms.run(end.signal, (key) => rung.push(`${key} ${times.nowMs()}`));
  alarms.set('late', 100);
  alarms.set('moved', 50);
  alarms.set('given up', 20);
  await times.advance(10);
  alarms.set('moved', 10);
  alarms.clear('given up');
  alarms.set('far', 2 ** 33);
  await times.advance(200);
  expect(rung).toEqual(['early 5', 'moved 20', 'late 100']);
  expect(alarms.size).toBe(1);
  await times.advance(2 ** 33);
  expect(rung.at(-1)).toBe(`far ${10 + 2 ** 33}`);
  end.abort();
  await running;
  expect(times.waiting).toBe(0);
});

it('keeps nothing of what was set anew many times', async () => {
  const times = new FakeTimes(0);
  const alarms = new Alarms<number>(times);
  const random = seeded(1);
  const due = new Map<number, number>();
  const rung: [number, number][] = [];
  const end = new AbortController();
  const running = alarms.run(end.signal, (key) => rung.push([times.nowMs(), key]));
  for (let time = 0; time < 5000; time++) {
    const key = random.whole(1, 100);
    const ms = random.whole(1, 10_000);
    alarms.set(key, ms);
    due.set(key, ms);
  }
  await times.advance(10_000);
  end.abort();
  await running;
  expect(rung.map(([, key]) => key).sort((a, b) => a - b)).toEqual([...due.keys()].sort((a, b) => a - b));
  for (const [atMs, key] of rung) expect(due.get(key)).toBe(atMs);
});
