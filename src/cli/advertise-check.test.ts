import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { AdvertiseCheck } from './advertise-check.ts';

let server: Server | undefined;
afterEach(() => server?.close());

const warningAt = (addr: string): Promise<string | undefined> =>
  new AdvertiseCheck(addr, undefined).warning(new AbortController().signal);

async function warningOf(made: Server): Promise<string | undefined> {
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  const { port } = made.address() as AddressInfo;
  const warning = await warningAt(`127.0.0.1:${port}`);
  return warning?.replaceAll(String(port), 'PORT');
}
const http = (listener: RequestListener): Server => createHttpServer(listener);
const json =
  (value: object, headers = {}): RequestListener =>
  (_req, res) =>
    res.writeHead(200, headers).end(JSON.stringify(value));
const text = (answer: string): Server =>
  createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(answer));
  });
const PLAIN = 'Client sent an HTTP request to an HTTPS server.\n';

test('an engine', async () => {
  expect(await warningOf(http(json({ Version: '20.10.24', ApiVersion: '1.41' })))).toBeUndefined();
});

const MANAGER =
  '--advertise: that is a swarm manager, not an engine: PORT is the port of a manager, engines listen on 2375, or 2376 with TLS';

test('a manager, ours or the original', async () => {
  const ours = json({ Version: '20.10.24', ApiVersion: '1.41' }, { Server: 'Skep/0.1.0 (linux)' });
  expect(await warningOf(http(ours))).toBe(MANAGER);
  server?.close();
  expect(await warningOf(http(json({ Version: 'swarm/1.2.9', ApiVersion: '1.22' })))).toBe(MANAGER);
  server?.close();
  expect(await warningOf(text(`HTTP/1.0 400 Bad Request\r\nServer: Skep\r\n\r\n${PLAIN}`))).toBe(MANAGER);
});

test('an engine with TLS', async () => {
  const warning = await warningOf(text(`HTTP/1.0 400 Bad Request\r\n\r\n${PLAIN}`));
  expect(warning).toMatch(/^--advertise: what answers there speaks TLS .* its managers need --tlsverify$/);
});

test.each([
  [
    () => http((_req, res) => void res.writeHead(404).end()),
    'not as an engine: GET /version gives status 404',
  ],
  [() => http(json([])), 'not as an engine'],
  [() => text('SSH-2.0-OpenSSH_9\r\n'), 'what answers does not speak HTTP'],
  [() => createServer((socket) => socket.destroy()), 'no engine answers there'],
])('something else (%#)', async (make, words) => {
  expect(await warningOf(make())).toContain(words);
});

test('nothing, at an address and at a name', async () => {
  expect(await warningAt('127.0.0.1:1')).toBe(
    '--advertise: no engine answers there: connection refused; managers cannot use this node until one does (is 1 the port of a manager? Engines listen on 2375, or 2376 with TLS)',
  );
  expect(await warningAt('nobody.invalid:2375')).toMatch(
    /host name cannot be resolved; .*\(dockerd -H tcp:\/\/0\.0\.0\.0:2375\)$/,
  );
  expect(await warningAt('a..b:2375')).toContain('no engine answers there');
});
