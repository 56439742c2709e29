import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { StoreHttp } from './http-store.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** Listens and hands every connection to `serve`, when it has said something; gives its address. */
async function listen(serve: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined).on('data', () => serve(socket));
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const ask = { method: 'GET', path: '/', signal: AbortSignal.timeout(60_000) } as const;
const BEGUN = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n';

test('who gives a stream up makes no further connection', async () => {
  const endpoint = await listen((socket) => socket.write(BEGUN));
  const stop = new AbortController();
  const stream = await new StoreHttp('store', [endpoint]).stream({ ...ask, signal: stop.signal });
  const read = (async () => {
    for await (const chunk of stream.body) if (chunk.length > 0) stop.abort(new Error('enough'));
  })();
  await expect(read).rejects.toThrow('enough');
  // Whoever came after the first one would have been let in before this one.
  await new StoreHttp('store', [endpoint]).stream(ask);
  expect(sockets).toHaveLength(2);
});

test('the same trouble has the same words, wherever the round begins', async () => {
  let isWell = true;
  const well = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
  const second = await listen((socket) => (isWell ? socket.write(well) : socket.destroy()));
  const http = new StoreHttp('store', ['127.0.0.1:1', second]);
  const both = `store at 127.0.0.1:1 refuses connections: nothing listens there; store at ${second} closed the connection`;
  isWell = false;
  await expect(http.request(ask)).rejects.toThrow(both);
  isWell = true;
  await http.request(ask);
  isWell = false;
  await expect(http.request(ask)).rejects.toThrow(both);
});

test('of two bad answers the first is ended when the second is there', async () => {
  const bad = 'HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n';
  const endpoints = [
    await listen((socket) => socket.write(bad)),
    await listen((socket) => socket.write(bad)),
  ];
  const { status, drop } = await new StoreHttp('store', endpoints).stream(ask);
  expect(status).toBe(503);
  await once(sockets[0] as Socket, 'close');
  drop();
});

test('what is closed asks nobody', async () => {
  const http = new StoreHttp('store', ['127.0.0.1:1']);
  http.close();
  await expect(http.request(ask)).rejects.toThrow('the discovery is closed');
});
