// Finds the Node that the project runs on. Plain JavaScript for Node 18 and newer: this is what npm starts with.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const OLDEST = 24;

/**
 * The path of a Node that is new enough: the one among the packages, else the one on PATH. The same search is in
 * bin/swarm. Throws an Error whose message says what to do.
 *
 * @returns {string}
 */
export function runtimePath() {
  const bundled = join(`node-linux-${process.arch}`, 'bin', 'node');
  const candidates = [join(root, 'node_modules', bundled), join(root, '..', bundled)].filter((path) =>
    existsSync(path),
  );
  const found = [...candidates, 'node'].find((path) => majorOf(path) >= OLDEST);
  if (found === undefined)
    throw new Error(
      `needs Node ${OLDEST} or newer, this is ${process.version}; run: npm install (it brings one for Linux on x64 and arm64)`,
    );
  return found;
}

/** @param {string} path */
function majorOf(path) {
  const { stdout, status } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return status === 0 ? Number(/^v(\d+)/.exec(stdout)?.[1] ?? 0) : 0;
}
