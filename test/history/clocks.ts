import { rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Host } from '../hosts/index.ts';

const PRELOAD = fileURLToPath(new URL('stepped-clock.ts', import.meta.url));

/** With this in its environment, a swarmd's clock can be stepped. */
export function steppedClock(host: Host): Record<string, string> {
  return { NODE_OPTIONS: `--import=${PRELOAD}`, TEST_CLOCK_FILE: fileOf(host) };
}

/** The date of a host's swarmd is off by so much from now on; 0 sets it right. */
export function stepClock(host: Host, offMs: number): void {
  if (offMs === 0) rmSync(fileOf(host), { force: true });
  else writeFileSync(fileOf(host), String(offMs));
}

function fileOf(host: Host): string {
  return host.runFile('clock');
}
