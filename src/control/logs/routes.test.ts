import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { SwarmError } from '../../base/errors.ts';
import type { LogLine, LogOptions, LogSelector, LogSubscriber } from '../../dispatcher/index.ts';
import { newTask } from '../../orchestrator/index.ts';
import { startControlApi, type ControlApi } from '../testing/control-api.ts';

const LINE: LogLine = {
  serviceId: 's 1',
  nodeId: 'n1',
  taskId: 't1',
  timestampNs: 1_700_000_000_123_456_789n,
  stream: 'stdout',
  data: Buffer.from('hello\n'),
  attrs: [
    { key: 'env', value: 'a&b=(c)' },
    { key: 'com.docker.swarm.task.id', value: 'forged' },
  ],
};
const DETAILS =
  'com.docker.swarm.node.id=n1,com.docker.swarm.service.id=s+1,com.docker.swarm.task.id=t1,env=a%26b%3D%28c%29';
const TIME = '2023-11-14T22:13:20.123456789Z';

interface Asked {
  readonly selector: LogSelector;
  readonly options: LogOptions;
}

function source(lines: readonly LogLine[], asked: Asked[] = [], failure?: Error): LogSubscriber {
  return {
    async *subscribe(selector, options) {
      asked.push({ selector, options });
      yield* lines;
      if (failure) throw failure;
    },
  };
}

async function withService(api: ControlApi, container: object = {}): Promise<string> {
  const TaskTemplate = { ContainerSpec: { Image: 'nginx', ...container } };
  const { value } = await api.call('POST', '/services/create', { Name: 'web', TaskTemplate });
  return (value as { ID: string }).ID;
}

function frame(stream: number, text: string): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

describe('GET /services/{id}/logs', () => {
  it('sends each line in a frame', async () => {
    const asked: Asked[] = [];
    const lines = [LINE, { ...LINE, stream: 'stderr', data: Buffer.from('oh\n') } as const];
    await using api = await startControlApi({ logs: source(lines, asked) });
    const id = await withService(api);
    const answer = await api.call('GET', '/services/web/logs?stdout=1&stderr=1');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/vnd.docker.multiplexed-stream');
    expect(answer.bytes).toEqual(Buffer.concat([frame(1, 'hello\n'), frame(2, 'oh\n')]));
    expect(asked).toEqual([
      { selector: { serviceIds: [id] }, options: { streams: ['stdout', 'stderr'], follow: false } },
    ]);
  });

  it('names no frames to clients before 1.42', async () => {
    await using api = await startControlApi({ logs: source([LINE]) });
    await withService(api);
    const answer = await api.call('GET', '/services/web/logs?stdout=1', undefined, { minor: 41 });
    expect(answer.headers['content-type']).toBe('application/vnd.docker.raw-stream');
    expect(answer.bytes).toEqual(frame(1, 'hello\n'));
  });

  it('sends a terminal’s lines as they are', async () => {
    await using api = await startControlApi({ logs: source([LINE]) });
    await withService(api, { TTY: true });
    const answer = await api.call('GET', '/services/web/logs?stdout=1');
    expect(answer.headers['content-type']).toBe('application/vnd.docker.raw-stream');
    expect(answer.bytes.toString()).toBe('hello\n');
  });

  it('puts time and context before a line', async () => {
    await using api = await startControlApi({ logs: source([LINE]) });
    await withService(api, { TTY: true });
    const text = async (query: string): Promise<string> =>
      (await api.call('GET', `/services/web/logs?stdout=1&${query}`)).bytes.toString();
    expect(await text('details=1')).toBe(`${DETAILS} hello\n`);
    expect(await text('timestamps=1')).toBe(`${TIME} hello\n`);
    expect(await text('details=1&timestamps=1')).toBe(`${TIME} ${DETAILS} hello\n`);
  });

  it('passes on what is asked for', async () => {
    const asked: Asked[] = [];
    await using api = await startControlApi({ logs: source([], asked) });
    await withService(api);
    for (const query of ['tail=5&since=1700000000.5&follow=1', 'tail=all&since=', 'tail=0'])
      await api.call('GET', `/services/web/logs?stderr=true&${query}`);
    expect(asked.map(({ options }) => options)).toEqual([
      { streams: ['stderr'], follow: true, tail: 5, sinceMs: 1_700_000_000_500 },
      { streams: ['stderr'], follow: false },
      { streams: ['stderr'], follow: false, tail: 0 },
    ]);
  });

  it('tells within the stream what could not be had', async () => {
    const failure = new SwarmError('unavailable', 'warning: incomplete log stream. node n2 is not available');
    await using api = await startControlApi({ logs: source([LINE], [], failure) });
    await withService(api);
    const { bytes } = await api.call('GET', '/services/web/logs?stdout=1');
    const words =
      'Error grabbing logs: rpc error: code = Unknown desc = warning: incomplete log stream. node n2 is not available\n';
    expect(bytes).toEqual(Buffer.concat([frame(1, 'hello\n'), frame(3, words)]));
  });

  it('ends the subscription when the client leaves', async () => {
    const left = Promise.withResolvers<void>();
    const logs: LogSubscriber = {
      async *subscribe(_selector, _options, signal) {
        yield LINE;
        await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
        left.resolve();
      },
    };
    await using api = await startControlApi({ logs });
    await withService(api);
    const path = '/v1.51/services/web/logs?stdout=1&follow=1';
    const sent = request({ port: api.port, path, agent: false }, (res) => {
      res.once('data', () => sent.destroy());
      res.on('error', () => undefined);
    });
    sent.on('error', () => undefined);
    sent.end();
    await left.promise;
  });

  it.each([
    ['', 400, 'Bad parameters: you must choose at least one stream'],
    ['stdout=0', 400, 'Bad parameters: you must choose at least one stream'],
    ['stdout=1&tail=-1', 400, 'negative tail values not supported'],
    ['stdout=1&tail=x', 400, 'tail value must be a positive integer or "all"'],
    [
      'stdout=1&since=x',
      400,
      'could not parse since timestamp: strconv.ParseInt: parsing "x": invalid syntax',
    ],
    [
      'stdout=1&since=1.y',
      400,
      'could not parse since timestamp: strconv.ParseInt: parsing "y": invalid syntax',
    ],
  ])('refuses %j', async (query, status, words) => {
    await using api = await startControlApi();
    await withService(api);
    const answer = await api.call('GET', `/services/web/logs?${query}`);
    expect([answer.status, answer.message]).toEqual([status, words]);
  });

  it('sends those of one task', async () => {
    const asked: Asked[] = [];
    await using api = await startControlApi({ logs: source([LINE], asked) });
    await withService(api);
    await api.store.update((tx) => {
      const service = tx.byName('service', 'web');
      if (service) tx.create('task', newTask(undefined, service, { slot: 1 }, 0));
    });
    const [task] = api.store.view.all('task');
    const answer = await api.call('GET', `/tasks/${task?.id}/logs?stdout=1`);
    expect(answer.bytes).toEqual(frame(1, 'hello\n'));
    expect(asked.map(({ selector }) => selector)).toEqual([{ taskIds: [task?.id] }]);
  });

  it('refuses what is not there', async () => {
    await using api = await startControlApi();
    const service = await api.call('GET', '/services/no/logs?stdout=1');
    expect([service.status, service.message]).toEqual([404, 'service no not found']);
    const task = await api.call('GET', '/tasks/no/logs?stdout=1');
    expect([task.status, task.message]).toEqual([404, 'task no not found']);
  });
});
