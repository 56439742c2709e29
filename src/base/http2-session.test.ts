import { createServer } from 'node:http2';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Http2Session } from './http2-session.ts';
import { startSilentHost, type SilentHost } from './testing/silent-host.ts';

const TIMES = { pingMs: 60_000, pingAnswerMs: 60_000 };
let host: SilentHost;

beforeAll(async () => {
  host = await startSilentHost();
});

afterAll(() => host?.close());

test.each(['http', 'https'])(
  'a host that does not answer is given up when its time is over (%s)',
  async (scheme) => {
    const session = new Http2Session(`${scheme}://${host.addr}`, {}, { ...TIMES, connectMs: 100 });
    await expect(session.open()).rejects.toThrow('it does not answer');
    expect(session).toMatchObject({ isSilent: true, isOver: true });
  },
);

test.each(['http', 'https'])(
  'one that is closed before there is a connection waits for none (%s)',
  async (scheme) => {
    const session = new Http2Session(`${scheme}://${host.addr}`, {}, TIMES);
    const opened = session.open();
    session.close();
    await expect(opened).rejects.toThrow('the connection was closed');
    expect(session).toMatchObject({ isSilent: false, isOver: true });
  },
);

test('one that has its connection keeps it, and a refusal is no silence', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const session = new Http2Session(url, {}, { ...TIMES, connectMs: 1_000 });
  await session.open();
  expect(session).toMatchObject({ isSilent: false, isOver: false });
  session.close();
  expect(session.isOver).toBe(true);
  server.close();
  await once(server, 'close');
  const refused = new Http2Session(url, {}, { ...TIMES, connectMs: 10_000 });
  await expect(refused.open()).rejects.toThrow('ECONNREFUSED');
  expect(refused.isSilent).toBe(false);
});
