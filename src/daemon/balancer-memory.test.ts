import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readRemembered, saveRemembered } from './balancer-memory.ts';

const PROGRAM = fileURLToPath(new URL('testing/remembering.ts', import.meta.url));
/** A change every 5 ms, kept within 100 ms where nothing else is to be done: much more on a busy machine. */
const OLDEST_MS = 5_000;

let disk: string;
let path: string;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'memory-'));
  path = join(disk, 'balancer.json');
});
afterEach(() => rmSync(disk, { recursive: true }));

/** The newest number that is remembered; -1 for no memory. */
function remembered(): number {
  const names = readRemembered(path)?.told?.services.map(({ name }) => Number(name)) ?? [];
  return Math.max(-1, ...names);
}

/** Starts it, and kills it without a warning once that number is on disk; when it was told each. */
async function killedAt(
  goal: number,
): Promise<{ readonly toldMs: readonly number[]; readonly endMs: number }> {
  const child = spawn(process.execPath, [PROGRAM, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const toldMs: number[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      toldMs[Number(line)] = performance.now();
      if (toldMs.length % 10 === 0 && remembered() >= goal) break;
    }
  } finally {
    child.kill('SIGKILL');
  }
  const endMs = performance.now();
  expect(await ended).toEqual([null, 'SIGKILL']);
  return { toldMs, endMs };
}

test.each([1, 150])(
  'a process that is killed in the middle of changes, with nobody to ask, has the last ones on disk: from %i on',
  async (goal) => {
    const { toldMs, endMs } = await killedAt(goal);
    const newest = remembered();
    expect(newest).toBeGreaterThanOrEqual(goal);
    // The first change that is not there is a young one.
    expect(endMs - (toldMs[newest + 1] ?? endMs)).toBeLessThan(OLDEST_MS);
    expect(readRemembered(path)?.told?.services).toHaveLength(200);
    // What a kill has left half written is in nobody's way.
    const place = { clusterId: 'c', nodeId: 'n', managers: [], dataRoot: '' };
    await saveRemembered(path, { place, touched: true, told: undefined });
    expect(readRemembered(path)).toEqual({ place, touched: true, told: undefined });
  },
  30_000,
);
