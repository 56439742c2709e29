import { expect, test } from 'vitest';
import { quietRefusals } from './refusals.ts';

test('tells of each address once a minute, and of a bounded number of them', () => {
  let nowMs = 0;
  const told: string[] = [];
  const refused = quietRefusals(
    (peer, why) => told.push(`${peer}: ${why}`),
    () => nowMs,
  );
  refused('10.0.0.1', 'a');
  refused('10.0.0.1', 'b');
  nowMs = 59_000;
  refused('10.0.0.1', 'c');
  refused('10.0.0.2', 'd');
  nowMs = 60_000;
  refused('10.0.0.1', 'e');
  refused('10.0.0.2', 'f');
  expect(told).toEqual(['10.0.0.1: a', '10.0.0.2: d', '10.0.0.1: e']);
  for (let i = 0; i < 5_000; i += 1) refused(`peer-${i}`, 'flood');
  expect(told.length).toBeLessThanOrEqual(1_003);
  nowMs = 200_000;
  refused('10.0.0.3', 'g');
  expect(told.at(-1)).toBe('10.0.0.3: g');
});
