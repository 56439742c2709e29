import { describe, expect, it } from 'vitest';
import { Stops } from './stops.ts';

describe('Stops', () => {
  it('takes what was killed shortly before the silence for stopped by the daemon', () => {
    const stops = new Stops();
    const now = performance.now();
    stops.killed('a', now);
    expect(stops.byDaemon('a', now + 10_000)).toBe(true);
    expect(stops.byDaemon('a', now + 30_000)).toBe(false);
    expect(stops.byDaemon('b', now)).toBe(false);
    stops.forget('a');
    expect(stops.byDaemon('a', now)).toBe(false);
  });

  it('leaves out what a client asked for, until a while after the answer', () => {
    const stops = new Stops();
    const answered = stops.ask('a');
    stops.killed('a', performance.now());
    expect(stops.byDaemon('a', performance.now())).toBe(false);
    answered();
    stops.killed('a', performance.now());
    expect(stops.byDaemon('a', performance.now())).toBe(false);
    const later = performance.now() + 60_000;
    stops.killed('a', later);
    expect(stops.byDaemon('a', later)).toBe(true);
  });
});
