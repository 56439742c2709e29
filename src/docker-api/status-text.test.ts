import { describe, expect, it } from 'vitest';
import { containerStatus, humanDuration } from './status-text.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('lengths of time in Docker’s words', () => {
  it.each([
    [0, 'Less than a second'],
    [1_500, '1 second'],
    [59_999, '59 seconds'],
    [MINUTE, 'About a minute'],
    [45 * MINUTE, '45 minutes'],
    [80 * MINUTE, 'About an hour'],
    [90 * MINUTE, '2 hours'],
    [47 * HOUR, '47 hours'],
    [3 * DAY, '3 days'],
    [20 * DAY, '2 weeks'],
    [100 * DAY, '3 months'],
    [800 * DAY, '2 years'],
  ])('%d ms are %s', (ms, text) => {
    expect(humanDuration(ms)).toBe(text);
  });
});

describe('the status of a container', () => {
  const run = { state: 'running', startedAtMs: 1_000, finishedAtMs: 500, exitCode: 137, health: '' };

  it('counts from the start or the end', () => {
    expect(containerStatus(run, 6_000)?.text).toBe('Up 5 seconds');
    expect(containerStatus({ ...run, health: 'healthy' }, 6_000)?.text).toBe('Up 5 seconds (healthy)');
    expect(containerStatus({ ...run, health: 'starting' }, 6_000)?.text).toBe(
      'Up 5 seconds (health: starting)',
    );
    expect(containerStatus({ ...run, state: 'paused' }, 6_000)?.text).toBe('Up 5 seconds (Paused)');
    expect(containerStatus({ ...run, state: 'exited' }, 3_600)?.text).toBe('Exited (137) 3 seconds ago');
    expect(containerStatus({ ...run, state: 'restarting' }, 3_600)?.text).toBe(
      'Restarting (137) 3 seconds ago',
    );
    expect(containerStatus({ ...run, state: 'created' }, 0)).toEqual({ text: 'Created', untilMs: Infinity });
    expect(containerStatus({ ...run, state: 'dead' }, 0)).toBeUndefined();
  });

  it('says the same until the moment it names, and may change then', () => {
    for (const ageMs of [1_200, 59_400, 61_000, 119_000, 80 * MINUTE, 5 * HOUR + 1, 3 * DAY]) {
      const nowMs = run.startedAtMs + ageMs;
      const status = containerStatus(run, nowMs);
      expect(status?.untilMs).toBeGreaterThan(nowMs);
      expect(containerStatus(run, (status?.untilMs ?? 0) - 1)?.text).toBe(status?.text);
    }
  });

  it('does not count below zero when clocks differ', () => {
    expect(containerStatus(run, 0)?.text).toBe('Up Less than a second');
  });
});
