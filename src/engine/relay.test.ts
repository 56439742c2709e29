import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Dispatcher } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseEngineAddress } from './address.ts';
import { EngineClient } from './client.ts';
import { relay, relayedBody } from './relay.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function serve(handle: (req: IncomingMessage, res: ServerResponse) => void): Promise<number> {
  const server: Server = createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function engineAt(handle: (req: IncomingMessage, res: ServerResponse) => void): Promise<EngineClient> {
  const client = new EngineClient(parseEngineAddress(`127.0.0.1:${await serve(handle)}`));
  closing.push(() => void client.close());
  return client;
}

describe('relay', () => {
  it('hands over an answer whose status has words that no head can be written with', async () => {
    const engine = await engineAt((_req, res) => {
      res.socket?.end('HTTP/1.1 200 gut €\r\nContent-Length: 2\r\n\r\n{}');
    });
    const port = await serve((_req, res) => {
      void relay(engine, { method: 'GET', path: '/', headers: {}, body: null }, res);
    });
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect([answer.status, answer.statusText, await answer.text()]).toEqual([200, 'gut ?', '{}']);
  });

  it('leaves an answer alone that was begun after it gave up, when its connection fails in the end', async () => {
    const slow = new EngineClient(parseEngineAddress('127.0.0.1:9'));
    closing.push(() => void slow.close());
    const handlers: Dispatcher.DispatchHandler[] = [];
    vi.spyOn(slow.dispatcher, 'dispatch').mockImplementation((_options, handler) => {
      handlers.push(handler);
      return true;
    });
    let goOn = (): unknown => undefined;
    const engine = await engineAt((_req, res) => {
      res.write('first, ');
      goOn = () => res.end('second');
    });
    const request = { method: 'GET', path: '/', headers: {}, body: null };
    const port = await serve((_req, res) => {
      const giveUp = new AbortController();
      const first = relay(slow, request, res, { signal: giveUp.signal });
      giveUp.abort();
      void first.catch(() => relay(engine, request, res));
    });
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    handlers[0]?.onResponseError?.({} as Dispatcher.DispatchController, new Error('connect timed out'));
    goOn();
    expect(await answer.text()).toBe('first, second');
  });

  it('asks nothing of the engine for a client that is gone already', async () => {
    let asked = 0;
    const engine = await engineAt(() => {
      asked += 1;
    });
    const statuses: Promise<number>[] = [];
    const port = await serve((req, res) => {
      res.once('close', () => {
        const body = relayedBody(req);
        statuses.push(relay(engine, { method: 'POST', path: '/', headers: {}, body }, res));
      });
      client.destroy();
    });
    const client = request({ port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': '9' } });
    client.on('error', () => undefined);
    client.write('half');
    await new Promise((resolve) => client.once('close', resolve));
    await expect.poll(() => statuses.length).toBe(1);
    expect(await statuses[0]).toBe(0);
    expect(asked).toBe(0);
  });
});
