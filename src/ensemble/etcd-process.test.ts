import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createLog } from '../base/log.ts';
import { EtcdProcess } from './etcd-process.ts';

const SOON_MS = 10_000;

/** How many processes have this argument. */
function running(argument: string): number {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(argument);
      } catch {
        return false;
      }
    }).length;
}

it('leaves no process of which it can not note the number, and tries again', async () => {
  const ownArgument = `100000.${process.pid}`;
  const stop = new AbortController();
  let pauses = 0;
  const clock = {
    nowMs: () => performance.now(),
    pause: async () => {
      pauses += 1;
      if (pauses === 3) stop.abort();
    },
  };
  const etcd = new EtcdProcess({
    program: '/bin/sleep',
    args: () => Promise.resolve([ownArgument]),
    env: {},
    pidFile: '/nowhere/etcd.pid',
    ownArgument,
    log: createLog('fatal'),
    clock,
    random: Math.random,
  });
  await etcd.run({ signal: stop.signal });
  expect([pauses, etcd.pid]).toEqual([3, undefined]);
  const untilMs = performance.now() + SOON_MS;
  while (running(ownArgument) > 0 && performance.now() < untilMs) await sleep(20);
  expect(running(ownArgument)).toBe(0);
});
