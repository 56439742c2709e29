import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLog } from '../base/log.ts';
import { parseEngineAddress } from '../engine/index.ts';
import { Attendance } from './attendance.ts';
import { LocalEngine } from './local-engine.ts';
import { FakeEngine } from './testing/fake-engine.ts';
import type { ManagerPeers } from './manager-peers.ts';

test('an engine that has just joined is looked at without the usual wait, until it says which node it is', async () => {
  const disk = mkdtempSync(join(tmpdir(), 'attendance-'));
  await using fake = await new FakeEngine(join(disk, 'engine.sock')).start();
  const engine = new LocalEngine(parseEngineAddress(`unix://${fake.path}`));
  const stop = new AbortController();
  const waits: number[] = [];
  const times = {
    ...{ nowMs: () => 0, wallMs: () => 0 },
    pause: async (ms: number, signal: AbortSignal) => {
      waits.push(ms);
      if (waits.length === 1) attendance.joined();
      expect(signal.aborted).toBe(waits.length === 1);
      if (waits.length === 23) stop.abort();
    },
  };
  const attendance = new Attendance({
    ...{ engine, times, log: createLog('fatal') },
    peers: {} as ManagerPeers,
    swarm: () => undefined,
    means: () => Promise.reject(new Error('it is no node')),
    witness: () => Promise.reject(new Error('it is no node')),
    isWitness: () => false,
    onLeft: () => Promise.resolve(),
    become: () => Promise.reject(new Error('it is no node')),
  });
  await attendance.run(stop.signal);
  await engine.close();
  rmSync(disk, { recursive: true });
  expect(waits[0]).toBe(5_000);
  expect(waits.slice(1, 21)).toEqual(Array.from({ length: 20 }, () => 250));
  expect(waits.slice(21)).toEqual([5_000, 5_000]);
});
