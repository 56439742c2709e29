import { afterEach, describe, expect, it } from 'vitest';
import { create } from '@bufbuild/protobuf';
import {
  LogStream,
  PublishLogsMessageSchema,
  type PublishLogsMessage,
  type SubscriptionMessage,
} from '../../../proto/generated/swarmkit/log_broker_pb.js';
import {
  Reader,
  startInProcess,
  taskFixture,
  type InProcess,
  type InProcessOptions,
} from '../../../test/dispatcher/in-process.ts';
import { otherServiceId, type Task } from '../../model/index.ts';
import type { LogLine, LogOptions, LogSelector } from './types.ts';

let swarm: InProcess | undefined;
afterEach(() => swarm?.stop());

async function start(wishes: InProcessOptions = {}): Promise<InProcess> {
  swarm = await startInProcess(wishes);
  return swarm;
}

const running = (wishes: Partial<Task> & { id: string }): Omit<Task, 'meta'> =>
  taskFixture({ ...wishes, status: { ...taskFixture().status, state: 'running' } });

/** A session and the stream of subscriptions of a node. */
async function listen(one: InProcess, nodeId: string): Promise<Reader<SubscriptionMessage>> {
  await one.session(nodeId);
  const reader = new Reader((signal) => one.logAgent(nodeId).listenSubscriptions({}, { signal }));
  await one.times.settle();
  return reader;
}

async function read(
  one: InProcess,
  selector: LogSelector,
  options: Partial<LogOptions> = {},
): Promise<Reader<LogLine>> {
  const reader = new Reader((signal) =>
    one.dispatcher.logs.subscribe(selector, { follow: false, ...options }, signal),
  );
  await one.times.settle();
  return reader;
}

/** Messages that an agent sends one by one; `end` is a close message. */
class Sending implements AsyncIterable<PublishLogsMessage> {
  readonly result: Promise<unknown>;
  readonly #one: InProcess;
  readonly #nodeId: string;
  readonly #id: string;
  readonly #queue: PublishLogsMessage[] = [];
  #wake: () => void = () => undefined;
  #over = false;
  taken = 0;

  constructor(one: InProcess, nodeId: string, id: string) {
    this.#one = one;
    this.#nodeId = nodeId;
    this.#id = id;
    this.result = one.logAgent(nodeId).publishLogs(this);
    this.result.catch(() => undefined);
  }

  async say(taskId: string, ...lines: string[]): Promise<void> {
    await this.sayAt(5, taskId, ...lines);
  }

  /** Lines of a moment, nanoseconds after the first second of 1970. */
  async sayAt(nanos: number, taskId: string, ...lines: string[]): Promise<void> {
    const context = { serviceId: 'service-1', nodeId: this.#nodeId, taskId };
    const messages = lines.map((line) => ({
      context,
      stream: LogStream.STDERR,
      timestamp: { seconds: 1n, nanos },
      data: Buffer.from(line),
      attrs: [{ key: 'k', value: 'v' }],
    }));
    await this.send({ messages });
  }

  async send(message: { messages?: object[]; close?: boolean; subscriptionId?: string }): Promise<void> {
    this.#queue.push(create(PublishLogsMessageSchema, { subscriptionId: this.#id, ...message }));
    this.#wake();
    await this.#one.times.settle();
  }

  async end(): Promise<void> {
    this.#over = true;
    this.#wake();
    await this.#one.times.settle();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<PublishLogsMessage> {
    for (;;) {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        this.taken++;
        yield next;
      }
      if (this.#over) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const textOf = ({ messages }: Reader<LogLine>): string[] =>
  messages.map(({ nodeId, taskId, data }) => `${nodeId} ${taskId} ${Buffer.from(data).toString()}`);

describe('logs without follow', () => {
  it('come from every node that ran a task of it, and end when all have sent theirs', async () => {
    const one = await start({ nodes: 3 });
    await one.store.update((tx) => {
      tx.create('task', running({ id: 'a' }));
      tx.create('task', running({ id: 'b', nodeId: 'node-2' }));
      tx.create('task', taskFixture({ id: 'old', status: { ...taskFixture().status, state: 'failed' } }));
      tx.create('task', taskFixture({ id: 'fresh', nodeId: 'node-3' }));
    });
    const listeners = [await listen(one, 'node-1'), await listen(one, 'node-2'), await listen(one, 'node-3')];
    const reader = await read(
      one,
      { serviceIds: ['service-1'] },
      { tail: 5, sinceMs: 1500, streams: ['stderr'] },
    );
    expect(listeners.map(({ messages }) => messages.length)).toEqual([1, 1, 0]);
    const asked = listeners[0]?.last;
    expect(asked).toMatchObject({
      close: false,
      // Agents may have some of its tasks under the other.
      selector: { serviceIds: ['service-1', otherServiceId('service-1')], nodeIds: [], taskIds: [] },
      options: {
        follow: false,
        tail: -6n,
        since: { seconds: 1n, nanos: 500_000_000 },
        streams: [LogStream.STDERR],
      },
    });
    const id = asked?.id ?? '';
    const first = new Sending(one, 'node-1', id);
    await first.say('a', 'one\n', 'two\n');
    await first.send({ close: true });
    expect(reader.ended).toBeUndefined();
    const second = new Sending(one, 'node-2', id);
    await second.say('b', 'three\n');
    await second.end();
    expect(reader.ended).toBeNull();
    expect(textOf(reader)).toEqual(['node-1 a one\n', 'node-1 a two\n', 'node-2 b three\n']);
    expect(reader.last).toMatchObject({
      stream: 'stderr',
      timestampNs: 1_000_000_005n,
      attrs: [{ key: 'k', value: 'v' }],
    });
    await Promise.all([first.result, second.result]);
    expect(listeners[0]?.messages).toHaveLength(1);
  });

  it('say at the end what is missing, without waiting for a node that is down', async () => {
    const one = await start({ nodes: 3 });
    await one.store.update((tx) => {
      tx.create('task', running({ id: 'a' }));
      tx.create('task', running({ id: 'b', nodeId: 'node-2' }));
      tx.create('task', running({ id: 'c', nodeId: 'node-3' }));
    });
    const listener = await listen(one, 'node-1');
    const leaving = await listen(one, 'node-2');
    const reader = await read(one, { serviceIds: ['service-1'] });
    const sending = new Sending(one, 'node-1', listener.last?.id ?? '');
    await sending.say('a', 'here\n');
    await sending.end();
    expect(reader.ended).toBeUndefined();
    await leaving.cancel();
    await one.times.settle();
    expect(textOf(reader)).toEqual(['node-1 a here\n']);
    expect(reader.ended?.message).toBe(
      'warning: incomplete log stream. some logs could not be retrieved for the following reasons: ' +
        'node node-3 is not available, node node-2 disconnected unexpectedly',
    );
  });

  it('do not hang on a node that fell silent', async () => {
    const one = await start();
    await one.store.update((tx) => tx.create('task', running({ id: 'a' })));
    await listen(one, 'node-1');
    const reader = await read(one, { taskIds: ['a'] });
    await one.times.advance(5000);
    expect(reader.ended?.message).toContain('node node-1 disconnected unexpectedly');
  });

  it('of a task without a node say so', async () => {
    const one = await start();
    await one.store.update((tx) =>
      tx.create(
        'task',
        taskFixture({ id: 'a', nodeId: '', status: { ...taskFixture().status, state: 'pending' } }),
      ),
    );
    expect((await read(one, { taskIds: ['a'] })).ended?.message).toContain('task a has not been scheduled');
  });

  it('need a selector, and a broker that runs', async () => {
    const one = await start();
    expect((await read(one, {})).ended?.message).toBe('log selector must not be empty');
    expect((await read(one, { serviceIds: ['nothing'] })).ended).toBeNull();
    const reader = await read(one, { serviceIds: ['x'] }, { follow: true });
    await one.stop();
    expect(reader.ended?.message).toBe('broker is not running');
    expect((await read(one, { serviceIds: ['x'] })).ended?.message).toBe('broker is not running');
  });
});

describe('logs that are followed', () => {
  it('go on with tasks that start later, on nodes that were not asked before', async () => {
    const one = await start({ nodes: 2 });
    const listener = await listen(one, 'node-2');
    const reader = await read(one, { serviceIds: ['service-1'] }, { follow: true });
    expect(listener.messages).toEqual([]);
    await one.store.update((tx) => tx.create('task', taskFixture({ id: 'a', nodeId: '' })));
    await one.store.update((tx) => {
      const task = tx.get('task', 'a');
      if (task) tx.update('task', { ...task, nodeId: 'node-2' });
    });
    await one.times.settle();
    expect(listener.last?.options?.tail).toBe(0n);
    const sending = new Sending(one, 'node-2', listener.last?.id ?? '');
    await sending.say('a', 'hello\n');
    expect(textOf(reader)).toEqual(['node-2 a hello\n']);
    expect(reader.ended).toBeUndefined();
    await reader.cancel();
    await one.times.settle();
    expect(listener.messages.map(({ close }) => close)).toEqual([false, true]);
    await sending.say('a', 'nobody listens\n');
    await sending.result;
  });

  it('go on where they were when an agent comes back, and give no line twice', async () => {
    const one = await start();
    await one.store.update((tx) => tx.create('task', running({ id: 'a' })));
    await one.store.update((tx) => tx.create('task', running({ id: 'b' })));
    const reader = await read(one, { serviceIds: ['service-1'] }, { follow: true, tail: 3 });
    const first = await listen(one, 'node-1');
    expect(first.messages.map(({ close, options }) => [close, options?.tail])).toEqual([[false, -4n]]);
    const before = new Sending(one, 'node-1', first.last?.id ?? '');
    await before.sayAt(10, 'a', 'a1\n', 'a2\n');
    await before.sayAt(30, 'b', 'b1\n');
    const second = await listen(one, 'node-1');
    expect(first.ended).toBeInstanceOf(Error);
    const [closing, asked] = second.messages;
    expect(closing).toMatchObject({ id: first.last?.id, close: true });
    expect(asked).toMatchObject({
      close: false,
      options: { follow: true, tail: 0n, since: { seconds: 1n, nanos: 10 } },
    });
    await before.sayAt(40, 'a', 'by the old id\n');
    await before.result;
    const after = new Sending(one, 'node-1', asked?.id ?? '');
    await after.sayAt(30, 'b', 'b1\n');
    await after.sayAt(10, 'a', 'a1\n', 'a2\n', 'a3, of the same moment\n');
    await after.sayAt(31, 'b', 'b2\n');
    await after.sayAt(11, 'a', 'a4\n');
    expect(textOf(reader).map((text) => text.split(' ').slice(2).join(' '))).toEqual(
      ['a1', 'a2', 'b1', 'a3, of the same moment', 'b2', 'a4'].map((line) => `${line}\n`),
    );
    await reader.cancel();
    await one.times.settle();
    expect(second.last).toMatchObject({ id: asked?.id, close: true });
  });

  it('that begin with nothing old have what was said while an agent was away', async () => {
    const one = await start();
    await one.store.update((tx) => tx.create('task', running({ id: 'a' })));
    const reader = await read(one, { taskIds: ['a'] }, { follow: true, tail: 0 });
    expect((await listen(one, 'node-1')).last?.options).toMatchObject({ tail: -1n });
    const seconds = BigInt(Math.floor(one.times.wallMs() / 1000));
    const { last } = await listen(one, 'node-1');
    expect(last?.options).toMatchObject({ tail: 0n, since: { seconds } });
    await reader.cancel();
  });

  it('go on where a former reader was, for each node', async () => {
    const one = await start({ nodes: 2 });
    await one.store.update((tx) => {
      tx.create('task', running({ id: 'a' }));
      tx.create('task', running({ id: 'b', nodeId: 'node-2' }));
    });
    const listeners = [await listen(one, 'node-1'), await listen(one, 'node-2')];
    const goOnFrom = new Map([['node-2', 7_000_000_009n]]);
    await using reader = await read(one, { serviceIds: ['service-1'] }, { follow: true, tail: 2, goOnFrom });
    expect(listeners.map(({ last }) => [last?.options?.tail, last?.options?.since])).toMatchObject([
      [-3n, undefined],
      [0n, { seconds: 7n, nanos: 9 }],
    ]);
    expect(reader.ended).toBeUndefined();
  });

  it('make nodes wait for a reader that is slow', async () => {
    const one = await start();
    await one.store.update((tx) => tx.create('task', running({ id: 'a' })));
    const listener = await listen(one, 'node-1');
    const signal = new AbortController();
    const lines = one.dispatcher.logs.subscribe({ taskIds: ['a'] }, { follow: true }, signal.signal);
    const iterator = lines[Symbol.asyncIterator]();
    const first = iterator.next();
    await one.times.settle();
    const sending = new Sending(one, 'node-1', listener.last?.id ?? '');
    const line = 'x'.repeat(100_000);
    for (let count = 0; count < 60; count++) await sending.say('a', line);
    await first;
    expect(sending.taken).toBeLessThan(40);
    for (let count = 1; count < 60; count++) {
      await one.times.settle();
      expect((await iterator.next()).done).toBe(false);
    }
    expect(sending.taken).toBe(60);
    signal.abort();
    await sending.end();
    await sending.result;
  });
});

describe('an agent that publishes', () => {
  it('speaks for itself and what it was asked for only', async () => {
    const one = await start({ nodes: 2 });
    await one.store.update((tx) => {
      tx.create('task', running({ id: 'a' }));
      tx.create('task', running({ id: 'theirs', serviceId: 'other', nodeId: 'node-2' }));
    });
    const listener = await listen(one, 'node-1');
    await listen(one, 'node-2');
    const reader = await read(one, { serviceIds: ['service-1'] }, { follow: true });
    const id = listener.last?.id ?? '';
    const refused = async (
      nodeId: string,
      ...messages: Parameters<Sending['send']>[0][]
    ): Promise<string> => {
      const sending = new Sending(one, nodeId, id);
      for (const message of messages) await sending.send(message);
      await sending.end();
      return sending.result.then(
        () => 'taken',
        (error: Error) => error.message,
      );
    };
    expect(await refused('node-1', { subscriptionId: '' })).toContain('missing subscription ID');
    expect(await refused('node-1', { subscriptionId: 'x' })).toContain('unknown subscription ID');
    expect(await refused('node-2', {})).toContain('unknown subscription ID');
    expect(await refused('node-1', {}, { subscriptionId: 'x' })).toContain('different subscription IDs');
    const context = { nodeId: 'node-2', taskId: 'theirs' };
    expect(await refused('node-1', { messages: [{ context }] })).toContain('invalid NodeID');
    expect(await refused('node-1', { messages: [{}] })).toContain('invalid NodeID');
    const sending = new Sending(one, 'node-1', id);
    await sending.say('theirs', 'forged\n');
    await sending.say('a', 'true\n');
    expect(textOf(reader)).toEqual(['node-1 a true\n']);
    await sending.end();
    await reader.cancel();
    expect(one.faults).toEqual([]);
  });

  it('needs a session to be asked', async () => {
    const one = await start();
    const reader = new Reader((signal) => one.logAgent('node-1').listenSubscriptions({}, { signal }));
    await one.times.settle();
    expect(reader.ended?.message).toContain('node not registered');
  });
});
