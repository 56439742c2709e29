import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { tcpProbe } from './tcp-probe.ts';

test('a port that somebody listens on, then nobody', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { signal } = new AbortController();
  expect(await tcpProbe('127.0.0.1', port, signal)).toBe('accepted');
  server.close();
  await once(server, 'close');
  expect(await tcpProbe('127.0.0.1', port, signal)).toBe('refused');
  expect(await tcpProbe('127.0.0.1', port, AbortSignal.abort())).toBe('unsure');
});
