import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../hosts/index.ts';
import { FakeEngine } from './fake-engine.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call } from './raw.ts';

const PATIENCE_MS = 40_000;
const QUICK = [
  '--engine-refresh-min-interval=1s',
  '--engine-refresh-max-interval=2s',
  '--engine-failure-retry=2',
];

let engine: FakeEngine;
afterEach(async () => {
  await engine.stop();
});

async function start(intercept: (path: string, res: ServerResponse) => boolean): Promise<Swarm> {
  engine = new FakeEngine(1, { containers: 1, intercept });
  await engine.start();
  return startSwarm(undefined, { discovery: engine.address, healthy: 1, args: QUICK });
}

describe('an engine that begins to hang', () => {
  it('has its requests answered with an error, and its streams cut, when it is given up', async () => {
    let hangs = false;
    const asked: string[] = [];
    await using swarm = await start((path, res) => {
      if (path.endsWith('/logs')) {
        res.writeHead(200, { 'content-type': 'application/octet-stream' });
        res.write('half');
      }
      if (path.endsWith('/logs') || path.endsWith('/top')) asked.push(path);
      return hangs || path.endsWith('/logs') || path.endsWith('/top');
    });
    const top = call(swarm.url, 'GET', '/containers/app-1-0/top', {
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const logs = await fetch(`${swarm.url}/containers/app-1-0/logs?stdout=1&follow=1`);
    const read = logs.text().then(
      () => 'ended',
      () => 'cut',
    );
    await until('both requests at the engine', PATIENCE_MS, () => (asked.length === 2 ? true : undefined));
    hangs = true;
    const refused = await top;
    expect([refused.status, refused.message]).toEqual([
      500,
      expect.stringContaining('node node-0001 is Unhealthy: '),
    ]);
    expect(await read).toBe('cut');
  });
});

describe('an event stream that breaks', () => {
  it('is gone on with where it was, and tells nothing twice', async () => {
    const streams: { url: string; res: ServerResponse }[] = [];
    await using swarm = await start((path, res) => {
      if (path !== '/events') return false;
      res.writeHead(200, { 'content-type': 'application/json' });
      res.flushHeaders();
      streams.push({ url: res.req.url ?? '', res });
      return true;
    });
    const nanos = [0, 1, 2].map((s) => BigInt(Date.now() + s * 1000) * 1_000_000n + 7n);
    const tell = (n: number): void => {
      const line = `{"Type":"volume","Action":"mount","Actor":{"ID":"v${n}"},"timeNano":${nanos[n]}}\n`;
      streams.at(-1)?.res.write(line);
    };
    const reader = new AbortController();
    const answer = await fetch(`${swarm.url}/events`, { signal: reader.signal });
    let heard = '';
    const decoder = new TextDecoder();
    const reading = (async () => {
      for await (const chunk of answer.body ?? []) heard += decoder.decode(chunk as Uint8Array);
    })().catch(() => undefined);
    const ids = (): string[] => [...heard.matchAll(/"ID":"(v\d)"/g)].map(([, id]) => id ?? '');
    tell(0);
    await until('the first', PATIENCE_MS, () => (ids().length === 1 ? true : undefined));
    streams.at(-1)?.res.end();
    await until('a new stream', PATIENCE_MS, () => (streams.length === 2 ? true : undefined));
    expect(streams.map(({ url }) => /since=/.test(url))).toEqual([false, true]);
    for (const n of [0, 1, 2]) tell(n);
    await until('the last', PATIENCE_MS, () => (ids().includes('v2') ? true : undefined));
    expect(ids()).toEqual(['v0', 'v1', 'v2']);
    reader.abort();
    await reading;
  });
});
