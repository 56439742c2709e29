import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { run, until } from '../hosts/index.ts';

/** What `npm start` runs once the machine is ready, as the leader of a process group like a terminal's. */
const root = fileURLToPath(new URL('../..', import.meta.url));
const UP_MS = 120_000;
let playground: ChildProcess | undefined;
let said = '';

afterAll(() => playground?.kill('SIGKILL'));

const word = (pattern: RegExp): string => pattern.exec(said)?.[1] ?? '';

test(
  'both halves come up on the same engines, and end at Ctrl-C with nothing left',
  async () => {
    const child = spawn(process.execPath, ['examples/playground.ts'], {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    playground = child;
    const keep = (chunk: Buffer): void => {
      said += chunk.toString();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const ended = once(child, 'exit');
    await until('it says what to type next', UP_MS, () =>
      said.includes('Ctrl-C ends it') || child.exitCode !== null ? true : undefined,
    );
    expect(said).toMatch(/^\w{25} \* +core-01 +Ready +Active +Leader/m);
    expect(said).toMatch(/^\w+ +shop_web +replicated +3\/3/m);
    // One home: the first half has the second one's containers.
    const host = word(/export DOCKER_HOST=(tcp:\S+)/);
    const names = (await run('docker', ['-H', host, 'ps', '--format', '{{.Names}}'])).split('\n');
    expect(names).toContain('core-01/web');
    const task = names.find((name) => name.includes('/shop_web.1.')) ?? '';
    expect(await run('docker', ['-H', host, 'exec', task, 'hostname'])).toMatch(/^core-0\d-1$/);

    // The port of the web servers answers on a host whichever tasks it has.
    const pages = said.match(/http:\/\/[\d.]+:8001\//g) ?? [];
    expect(pages).toHaveLength(3);
    for (const page of pages) expect(await (await fetch(page)).text()).toMatch(/stand-in on core-0\d-[123]</);

    const socket = word(/export DOCKER_HOST=unix:\/\/(\S+)/);
    expect(existsSync(socket)).toBe(true);
    process.kill(-(child.pid ?? 0), 'SIGINT');
    expect(await ended).toEqual([0, null]);
    expect(said).toContain('> ending');
    expect(existsSync(dirname(socket))).toBe(false);
  },
  UP_MS + 60_000,
);
