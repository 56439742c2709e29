import { expect, test } from 'vitest';
import { SwarmError } from '../base/errors.ts';
import { Heartbeat } from './heartbeat.ts';

/** Runs a heartbeat of 60 s over these outcomes, each of which takes so long; gives what it did, waits in seconds. */
async function beat(outcomes: readonly (string | undefined)[], tookMs = 0): Promise<string[]> {
  let nowMs = 0;
  const done: string[] = [];
  const abort = new AbortController();
  const left = [...outcomes];
  const heartbeat = new Heartbeat({
    heartbeatMs: 60_000,
    delayMs: 8_000,
    random: () => 1,
    nowMs: () => nowMs,
    async register() {
      const outcome = left.shift();
      nowMs += tookMs;
      if (left.length === 0) abort.abort();
      if (outcome !== undefined) throw new SwarmError('unavailable', outcome);
    },
    onBeat: () => done.push('beat'),
    onRegistered: (again) => done.push(again ? 'renewed' : 'registered'),
    onTrouble: (error) => done.push(String(error)),
    wait: async (ms) => void done.push(`${ms / 1000}`),
  });
  await heartbeat.run(abort.signal);
  return done.filter((one) => one !== 'beat');
}

test('registers after the delay, then at every heartbeat', async () => {
  expect(await beat([undefined, undefined, undefined])).toEqual([
    '8',
    'registered',
    '60',
    'renewed',
    '60',
    'renewed',
    '60',
  ]);
});

test('a slow registration does not delay the next one', async () => {
  expect(await beat([undefined, undefined], 15_000)).toEqual(['8', 'registered', '45', 'renewed', '45']);
});

test('tries again soon, and says each kind of trouble once', async () => {
  expect(await beat([undefined, 'down', 'down', 'full', 'down', 'full', undefined])).toEqual([
    '8',
    'registered',
    '60',
    'SwarmError: down',
    '1',
    '2',
    'SwarmError: full',
    '4',
    '8',
    '10',
    'registered',
    '60',
  ]);
});

test('ends where nothing can ever be registered', async () => {
  const heartbeat = new Heartbeat({
    heartbeatMs: 60_000,
    delayMs: 0,
    register: async () => Promise.reject(new SwarmError('unsupported', 'not implemented')),
    onBeat: () => undefined,
    onRegistered: () => undefined,
    onTrouble: () => undefined,
  });
  await expect(heartbeat.run(new AbortController().signal)).rejects.toThrow('not implemented');
});

test('a service that never answers does not hold a stop', async () => {
  const abort = new AbortController();
  const heartbeat = new Heartbeat({
    heartbeatMs: 60_000,
    delayMs: 0,
    register: () => new Promise(() => undefined),
    onBeat: () => setTimeout(() => abort.abort(), 5),
    onRegistered: () => undefined,
    onTrouble: () => undefined,
  });
  await heartbeat.run(abort.signal);
});
