import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startHosts } from '../hosts/index.ts';
import { startSwarm } from './manager.ts';

/** A minute in the long form of the tests. */
const WATCH_MS = process.env['SKEP_TEST_LONG'] === '1' ? 60_000 : 8_000;
const READ_BYTES = 16 * 1024;
const READ_PAUSE_MS = 100;
const MAY_GROW_MB = 50;

/** A megabyte of lines, ten times a second. */
const TEN_MEGABYTES_A_SECOND = 'while true; do yes "$(printf %01000d 0)" | head -n 1000; sleep 0.1; done';

function rssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? NaN) / 1024;
}

it(
  'holds no more memory when a reader of 10 MB/s of logs is slow',
  { timeout: WATCH_MS + 60_000 },
  async () => {
    await using hosts = await startHosts({ count: 1 });
    await using swarm = await startSwarm(hosts);
    await swarm.docker(
      'run',
      '-d',
      '--name',
      'loud',
      '--log-opt',
      'max-size=64m',
      'busybox',
      'sh',
      '-c',
      TEN_MEGABYTES_A_SECOND,
    );
    const { port, hostname } = new URL(swarm.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write('GET /containers/loud/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: swarm\r\n\r\n');
    let read = 0;
    const started = performance.now();
    await sleep(2_000);
    const before = rssMb(swarm.pid);
    let most = before;
    while (performance.now() - started < WATCH_MS) {
      read += (socket.read(READ_BYTES) as Buffer | null)?.length ?? 0;
      await sleep(READ_PAUSE_MS);
      most = Math.max(most, rssMb(swarm.pid));
    }
    socket.destroy();
    expect(read).toBeGreaterThan(READ_BYTES);
    expect(most - before).toBeLessThan(MAY_GROW_MB);
    await swarm.docker('rm', '-f', 'loud');
  },
);
