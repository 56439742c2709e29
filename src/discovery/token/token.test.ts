import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createToken, openDiscovery, parseDiscovery, type Discovery } from '../index.ts';

const T = '0123456789abcdef0123456789abcdef';
let server: Server;
let url = '';
let answer: RequestListener;
const asked: string[] = [];

beforeEach(async () => {
  asked.length = 0;
  server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => (body += chunk.toString()));
    req.on('end', () => {
      asked.push(`${req.method} ${req.url} ${body}`.trim());
      answer(req, res);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => server.close());

const signal = new AbortController().signal;
const says =
  (text: string, status = 200, headers = {}): RequestListener =>
  (_req, res) =>
    res.writeHead(status, headers).end(text);
const open = (wait?: (ms: number, signal: AbortSignal) => Promise<void>): Promise<Discovery> =>
  openDiscovery(parseDiscovery(`token://${T}`), {
    heartbeatMs: 60_000,
    store: { tokenUrl: `${url}/v1` },
    ...(wait ? { wait } : {}),
  });
const listed = async (): Promise<string> =>
  (await (await open()).list({ signal })).map(({ address }) => address).join();

test('lists', async () => {
  answer = says('["10.0.0.1:2375","b:1","10.0.0.1:2375"]');
  expect(await listed()).toBe('10.0.0.1:2375,b:1');
  expect(asked).toEqual([`GET /v1/clusters/${T}`]);
  answer = says('[]');
  expect(await listed()).toBe('');
  answer = says('null\n');
  expect(await listed()).toBe('');
});

test.each([
  [() => says('hello'), 'it answered without a list of addresses'],
  [() => says('{"a":1}'), 'it answered without a list of addresses'],
  [() => says('the disk is full', 500), 'status 500: the disk is full'],
  [() => says('<html>', 502), 'status 502'],
])('says what is wrong with an answer (%#)', async (make, words) => {
  answer = make();
  await expect((await open()).list({ signal })).rejects.toThrow(`token service ${url}/v1: ${words}`);
});

test('an answer that breaks off is an error', async () => {
  answer = (_req, res) => {
    res.writeHead(200, { 'content-length': '100' });
    res.write('["a:1"');
    setTimeout(() => res.destroy(), 10);
  };
  await expect(listed()).rejects.toThrow(`token service ${url}/v1: `);
});

test('registers for whole seconds, rounded up', async () => {
  answer = says('OK');
  await (await open()).register('a:1', { ttlMs: 1500, signal });
  expect(asked).toEqual([`POST /v1/clusters/${T}?ttl=2 a:1`]);
});

test('a request ends with its signal', async () => {
  answer = () => undefined;
  const abort = new AbortController();
  const list = (await open()).list({ signal: abort.signal });
  setTimeout(() => abort.abort(), 20);
  await expect(list).rejects.toThrow();
  server.closeAllConnections();
});

test('creates', async () => {
  answer = says(`${T}\n`, 201);
  expect(await createToken({ tokenUrl: url }, { signal })).toBe(T);
  expect(asked).toEqual(['POST /clusters']);
  answer = says('hello');
  await expect(createToken({ tokenUrl: url }, { signal })).rejects.toThrow('answered without a token');
});

test('TLS files for a service without TLS are an error', async () => {
  const tls = { ca: Buffer.alloc(0), cert: Buffer.alloc(0), key: Buffer.alloc(0) };
  await expect(createToken({ tokenUrl: url, tls }, { signal })).rejects.toThrow('speaks plain HTTP');
});

test('TLS files that cannot be used are an error, not a trouble', async () => {
  const tls = { ca: Buffer.from('no PEM'), cert: Buffer.alloc(0), key: Buffer.alloc(0) };
  const secure = url.replace('http:', 'https:');
  await expect(createToken({ tokenUrl: secure, tls }, { signal })).rejects.toMatchObject({ code: 'invalid' });
});

test('a service without TLS at an https URL is named', async () => {
  const secure = url.replace('http:', 'https:');
  await expect(createToken({ tokenUrl: secure }, { signal })).rejects.toThrow('it speaks plain HTTP there');
});

test('a watch looks ever more seldom, follows changes, and keeps its list through trouble and loss', async () => {
  const before = says('["a:1","b:1"]', 200, { 'swarm-discovery-data': '1' });
  const emptied = says('[]', 200, { 'swarm-discovery-data': '2' });
  const again = says('["a:1"]', 200, { 'swarm-discovery-data': '2' });
  // What the service says from each look on; the last one stops the watch.
  const abort = new AbortController();
  const steps: (() => void)[] = [
    () => (answer = says('["a:1","b:1"]', 200, { 'swarm-discovery-data': '1' })),
    () => (answer = emptied),
    () => (answer = again),
    () => abort.abort(),
  ];
  const waits: number[] = [];
  answer = before;
  const discovery = await open(async (ms) => {
    waits.push(ms);
    steps.shift()?.();
  });
  const seen: string[] = [];
  for await (const event of discovery.watch({ signal: abort.signal }))
    seen.push(event.kind === 'entries' ? event.entries.map((entry) => entry.address).join() : event.message);
  expect(seen).toEqual([
    'a:1,b:1',
    `token service ${url}/v1: it has lost its registrations`,
    expect.stringContaining('the engines stay until they register again'),
  ]);
  expect(waits[1]).toBeGreaterThan(1_000);
  expect(Math.max(...waits)).toBeLessThan(60_000);
});
