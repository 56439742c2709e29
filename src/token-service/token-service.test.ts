import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../base/log.ts';
import { Registrations } from './registrations.ts';
import { tokenService } from './token-service.ts';

const T = '0123456789abcdef0123456789abcdef';
let folder = '';
let server: Server;
let url = '';
let now = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'token-service-'));
  const nowMs = (): number => now;
  const registrations = new Registrations({ folder, nowMs, maxPerToken: 3 });
  const log = createLog('fatal', { write: () => undefined });
  server = createServer(tokenService({ registrations, log, nowMs }));
  server.on('close', () => registrations[Symbol.dispose]());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

async function ask(method: string, path: string, body?: string): Promise<string> {
  const answer = await fetch(`${url}${path}`, { method, ...(body === undefined ? {} : { body }) });
  return `${answer.status} ${await answer.text()}`;
}

test('the whole way of a cluster, under both prefixes', async () => {
  const created = await ask('POST', '/v1/clusters');
  expect(created).toMatch(/^200 [0-9a-f]{32}$/);
  const token = created.slice(4);
  expect(await ask('GET', `/clusters/${token}`)).toBe('200 []');
  expect(await ask('POST', `/clusters/${token}?ttl=10`, '10.0.0.1:2375')).toBe('200 OK');
  expect(await ask('POST', `/v1/clusters/${token}`, 'core-01:2376\n')).toBe('200 OK');
  expect(await ask('GET', `/v1/clusters/${token.toUpperCase()}/`)).toBe(
    '200 ["10.0.0.1:2375","core-01:2376"]',
  );
  now += 10_000;
  expect(await ask('GET', `/v1/clusters/${token}`)).toBe('200 ["core-01:2376"]');
  now += 170_000;
  expect(await ask('GET', `/v1/clusters/${token}`)).toBe('200 []');
  await ask('POST', `/clusters/${token}`, '[::1]:1');
  expect(await ask('DELETE', `/clusters/${token}`)).toBe('200 OK');
  expect(await ask('GET', `/clusters/${token}`)).toBe('200 []');
});

test('an answer says its type and which data it is from', async () => {
  const list = await fetch(`${url}/clusters/${T}`);
  expect(list.headers.get('content-type')).toBe('application/json');
  expect(list.headers.get('swarm-discovery-data')).toMatch(/^[0-9a-f]{16}$/);
});

test.each([
  ['POST', `/clusters/${T}`, '', '400 the body is the address of an engine'],
  ['POST', `/clusters/${T}`, '10.0.0.1', '400 the body is the address'],
  ['POST', `/clusters/${T}`, '10.0.0.999:1', '400 the body is the address'],
  ['POST', `/clusters/${T}`, 'a:0', '400 the body is the address'],
  ['POST', `/clusters/${T}`, 'a:1\nb:1', '400 the body is the address'],
  ['POST', `/clusters/${T}`, 'a'.repeat(100_000), '413 the body is an address of 1024 bytes at most'],
  ['POST', `/clusters/${T}?ttl=0`, 'a:1', '400 ttl is a number of seconds above 0'],
  ['POST', `/clusters/${T}?ttl=soon`, 'a:1', '400 ttl is a number'],
  ['POST', '/clusters/abc', 'a:1', '400 malformed token: a token has 32 hexadecimal digits'],
  ['GET', '/clusters/abc', undefined, '400 malformed token'],
  ['GET', '/clusters', undefined, '405 only POST here'],
  ['PUT', `/clusters/${T}`, 'a:1', '405 only GET, HEAD, POST, DELETE here'],
  ['GET', '/', undefined, '404 page not found'],
  ['GET', `/v2/clusters/${T}`, undefined, '404 page not found'],
  ['GET', '/_ping', undefined, '200 OK'],
])('%s %s %.20s', async (method, path, body, answer) => {
  expect(await ask(method, path, body)).toContain(answer);
});

test('a full token is an answer in words', async () => {
  const full = 'c'.repeat(32);
  for (const name of ['a', 'b', 'c']) await ask('POST', `/clusters/${full}`, `${name}:1`);
  expect(await ask('POST', `/clusters/${full}`, 'd:1')).toBe(
    '503 3 engines at most may register under one token',
  );
});

test('tokens are given out at a modest rate', async () => {
  let answer = '';
  for (let i = 0; i <= 200 && !answer.startsWith('429'); i += 1) answer = await ask('POST', '/clusters');
  expect(answer).toBe('429 too many tokens at a time; try again in a second');
  now += 1000;
  expect(await ask('POST', '/clusters')).toMatch(/^200 /);
});

test('a client that leaves in the middle of its body registers nothing', async () => {
  const token = 'd'.repeat(32);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`POST /clusters/${token} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\na:1`, () =>
        socket.destroy(),
      );
    });
    socket.on('close', resolve);
  });
  expect(await ask('GET', `/clusters/${token}`)).toBe('200 []');
});
