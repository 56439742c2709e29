import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { SwarmError } from '../base/errors.ts';
import { createLog } from '../base/log.ts';
import type { LogLine, LogOptions } from '../dispatcher/index.ts';
import type { AtLeader } from './at-leader.ts';
import { swarmLogs } from './followed-logs.ts';
import type { SwarmLife } from './swarm-life.ts';
import { lineToJson, wishFromJson } from './wire-lines.ts';

const SELECTOR = { serviceIds: ['s'] };
const FOLLOW: LogOptions = { follow: true };

const line = (ns: number, text = `${ns}`, nodeId = 'n1'): LogLine => ({
  ...{ serviceId: 's', nodeId, taskId: 't', stream: 'stdout', attrs: [] },
  timestampNs: BigInt(ns),
  data: Buffer.from(text),
});

/** Lines, and how they end: an error, or never. */
async function* said(lines: readonly LogLine[], end?: Error, signal?: AbortSignal): AsyncGenerator<LogLine> {
  yield* lines;
  if (end) throw end;
  await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
}

const cut = () => new SwarmError('unavailable', 'broker is not running');

/** A manager whose leader is what the test says, and readers of its logs. */
function scene() {
  const listeners = new Set<() => void>();
  const asked: LogOptions[] = [];
  const stopping = new AbortController();
  let ms = 0;
  const facts = {
    leader: undefined as { id: string; addr: string } | undefined,
    /** What is said at this manager while it leads, one after the other. */
    here: undefined as ((signal: AbortSignal) => AsyncIterable<LogLine>)[] | undefined,
    /** What other managers answer. */
    there: [] as Readable[],
    hasSwarm: true,
  };
  const manager = {
    get leader() {
      return facts.leader;
    },
    get leading() {
      const { here } = facts;
      if (!here) return undefined;
      const subscribe = (_selector: unknown, options: LogOptions, signal: AbortSignal) => {
        asked.push(options);
        return here.shift()?.(signal) ?? said([], undefined, signal);
      };
      return { logs: { subscribe } };
    },
    listen: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const atLeader = {
    stream: (_swarm: unknown, { body }: { body: unknown }, signal: AbortSignal) => {
      asked.push(wishFromJson(JSON.parse(JSON.stringify(body))).options);
      const answer = facts.there.shift() ?? new Readable({ read: () => undefined });
      signal.addEventListener('abort', () => answer.destroy(new Error('aborted')), { once: true });
      return Promise.resolve(Object.assign(answer, { statusCode: 200 }) as unknown as IncomingMessage);
    },
  };
  const logs = swarmLogs({
    life: {
      get swarm() {
        return facts.hasSwarm ? { manager } : undefined;
      },
      settled: Promise.resolve(),
      trouble: undefined,
    } as unknown as SwarmLife,
    atLeader: atLeader as unknown as AtLeader,
    times: {
      nowMs: () => ms,
      wallMs: () => 1_000_000 + ms,
      pause: (wait: number) => {
        ms += wait;
        return new Promise<void>((resolve) => void setImmediate(resolve));
      },
    },
    stopping: stopping.signal,
    log: createLog('fatal'),
  });
  const tell = (): void => {
    for (const listener of [...listeners]) listener();
  };
  return { facts, asked, logs, stopping, tell };
}

const sent = (...lines: LogLine[]): Readable => {
  const answer = new Readable({ read: () => undefined });
  for (const one of lines) for (const text of lineToJson(one)) answer.push(text);
  return answer;
};

/** So many lines of a reader, which leaves then. */
async function take(lines: AsyncIterable<LogLine>, count: number): Promise<string[]> {
  const texts: string[] = [];
  for await (const { data } of lines) if (texts.push(Buffer.from(data).toString()) === count) break;
  return texts;
}

test('they go on at the next leader, without a line twice and from where each node was', async () => {
  const { facts, asked, logs, tell } = scene();
  facts.leader = { id: 'one', addr: 'a:2377' };
  const first = sent(line(5), line(6), line(900, 'other', 'n2'));
  facts.there = [first, sent(line(6), line(7), line(900, 'other', 'n2'), line(901, 'next', 'n2'))];
  const reader = logs.subscribe(SELECTOR, { ...FOLLOW, tail: 9 }, new AbortController().signal);
  const texts: string[] = [];
  for await (const { data } of reader) {
    if (texts.push(Buffer.from(data).toString()) === 3) {
      facts.leader = { id: 'two', addr: 'b:2377' };
      tell();
    }
    if (texts.length === 5) break;
  }
  expect(texts).toEqual(['5', '6', 'other', '7', 'next']);
  expect(first.destroyed).toBe(true);
  expect(asked.map(({ tail, goOnFrom }) => [tail, [...(goOnFrom ?? [])]])).toEqual([
    [9, []],
    [
      9,
      [
        ['n1', 6n],
        ['n2', 900n],
      ],
    ],
  ]);
});

test('they go on when this manager loses the lead, and when it gets it back', async () => {
  const { facts, logs, tell } = scene();
  facts.leader = { id: 'other', addr: 'a:2377' };
  facts.there = [sent(line(1), line(2), line(3))];
  facts.here = [
    async function* () {
      yield line(1);
      yield await Promise.resolve(line(2));
      facts.here = undefined;
      throw cut();
    },
  ];
  const texts: string[] = [];
  for await (const { data } of logs.subscribe(SELECTOR, FOLLOW, new AbortController().signal)) {
    texts.push(Buffer.from(data).toString());
    if (texts.length === 3) {
      facts.here = [(signal) => said([line(1), line(2), line(3), line(4)], undefined, signal)];
      facts.leader = undefined;
      tell();
    }
    if (texts.length === 4) break;
  }
  expect(texts).toEqual(['1', '2', '3', '4']);
});

test('a leader that has just begun is asked again', async () => {
  const { facts, logs } = scene();
  facts.here = [() => said([], cut()), (signal) => said([line(1)], undefined, signal)];
  expect(await take(logs.subscribe(SELECTOR, FOLLOW, new AbortController().signal), 1)).toEqual(['1']);
});

test('who wants nothing old gets what was said while there was no leader', async () => {
  const { facts, asked, logs } = scene();
  facts.here = [() => said([], cut()), (signal) => said([line(1)], undefined, signal)];
  await take(logs.subscribe(SELECTOR, { ...FOLLOW, tail: 0 }, new AbortController().signal), 1);
  expect(asked).toMatchObject([{ tail: 0 }, { sinceMs: 1_000_000 }]);
  expect(asked[1]).not.toHaveProperty('tail');
});

test('without a leader it is waited for one, and without end once there was one', async () => {
  const { facts, logs } = scene();
  const signal = new AbortController().signal;
  await expect(take(logs.subscribe(SELECTOR, FOLLOW, signal), 1)).rejects.toThrow('no leader');
  facts.here = [
    async function* () {
      yield line(1);
      facts.here = undefined;
      setTimeout(() => (facts.here = [(over) => said([line(1), line(2)], undefined, over)]), 20);
      throw cut();
    },
  ];
  expect(await take(logs.subscribe(SELECTOR, FOLLOW, signal), 2)).toEqual(['1', '2']);
});

test('they end with the daemon, with the manager, and with their reader', async () => {
  const { facts, logs, stopping } = scene();
  facts.here = [];
  const left = new AbortController();
  const reading = take(logs.subscribe(SELECTOR, FOLLOW, left.signal), 1);
  setImmediate(() => left.abort());
  expect(await reading).toEqual([]);
  const cutOff = take(logs.subscribe(SELECTOR, FOLLOW, new AbortController().signal), 1);
  setImmediate(() => stopping.abort());
  await expect(cutOff).rejects.toThrow('broker is not running');
  const { facts: gone, logs: none } = scene();
  gone.hasSwarm = false;
  await expect(take(none.subscribe(SELECTOR, FOLLOW, new AbortController().signal), 1)).rejects.toThrow(
    'not a swarm manager',
  );
});

test('what is not followed is the leader’s alone', () => {
  const { logs } = scene();
  const ask = () => logs.subscribe(SELECTOR, { follow: false }, new AbortController().signal);
  expect(ask).toThrow('this manager does not lead');
});
