import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiCall, startApiServer } from '../../docker-api/index.ts';
import { Forwarder } from './forward.ts';
import type { Leadership } from './leadership.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A leadership that the test decides. */
class Decided implements Leadership {
  primary: string | undefined;
  self = false;
  readonly #listeners = new Set<() => void>();

  get role(): Leadership['role'] {
    return this.self ? 'primary' : 'replica';
  }

  leads(): boolean {
    return this.self;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  become(primary: string | undefined): void {
    this.primary = primary;
    for (const listener of [...this.#listeners]) listener();
  }
}

type Handle = (req: IncomingMessage, res: ServerResponse) => void;

/** What answers as the primary, at an address of its own. */
async function startPrimary(
  handle: Handle,
): Promise<{ address: string; server: Server; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer(handle);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, server, sockets };
}

/** A replica: whatever it does not pass on it answers with 200 `own`. */
async function startReplica(leadership: Leadership, patienceMs = 20_000): Promise<string> {
  const log = pino({ level: 'silent' }, new Writable({ write: (_chunk, _encoding, done) => done() }));
  const forwarder = new Forwarder({ leadership, advertise: 'replica:1', patienceMs, tls: undefined, log });
  const server = await startApiServer({
    listen: [{ kind: 'tcp', host: '127.0.0.1', port: 0 }],
    handle: (req, res, hijack) => {
      const url = req.url ?? '/';
      const path = (url.split('?')[0] ?? '').replace(/^\/v[\d.]+/, '');
      const call = new ApiCall({ req, res, hijack, path, search: '', minor: 41 });
      res.on('error', () => undefined);
      forwarder.take(call).then(
        (taken) => {
          if (!taken) call.body(200, 'text/plain', 'own');
        },
        (error: unknown) => call.fail(error),
      );
    },
  });
  cleanups.push(async () => {
    await server.close(0);
    await forwarder.close();
  });
  const [bound] = server.addresses;
  return bound?.kind === 'tcp' ? `127.0.0.1:${bound.port}` : '';
}

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

interface Asking {
  body?: string | Buffer;
  headers?: Record<string, string>;
}

function ask(address: string, method: string, path: string, { body, headers }: Asking = {}): Promise<Answer> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path, agent: false, headers: { ...headers } }, (res) => {
      let text = '';
      res.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text }));
      res.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const echo: Handle = (req, res) => {
  let size = 0;
  req.on('data', (chunk: Buffer) => (size += chunk.length));
  req.on('end', () => {
    res.writeHead(req.method === 'POST' ? 201 : 200, { 'x-of': 'primary' });
    res.end(`${req.method ?? ''} ${req.url ?? ''} ${size}`);
  });
};

const named =
  (name: string): Handle =>
  (req, res) => {
    req.resume();
    res.end(name);
  };

describe('Forwarder', () => {
  it('passes on method, path with version and query, body and answer', async () => {
    const primary = await startPrimary(echo);
    const leadership = new Decided();
    leadership.primary = primary.address;
    const replica = await startReplica(leadership);
    const got = await ask(replica, 'GET', '/v1.30/containers/json?all=1');
    expect([got.status, got.text, got.headers['x-of']]).toEqual([
      200,
      'GET /v1.30/containers/json?all=1 0',
      'primary',
    ]);
    const small = await ask(replica, 'POST', '/v1.41/containers/create?name=a', { body: '{"Image":"a"}' });
    expect([small.status, small.text]).toEqual([201, 'POST /v1.41/containers/create?name=a 13']);
    const upload = Buffer.alloc(3_000_000, 'x');
    const chunked = { body: upload, headers: { 'transfer-encoding': 'chunked' } };
    expect((await ask(replica, 'POST', '/build', chunked)).text).toBe('POST /build 3000000');
    expect((await ask(replica, 'PUT', '/containers/a/archive?path=/', { body: upload })).text).toBe(
      'PUT /containers/a/archive?path=/ 3000000',
    );
  });

  it('answers by itself what is about itself, and everything while it leads', async () => {
    const primary = await startPrimary(echo);
    const leadership = new Decided();
    leadership.primary = primary.address;
    const replica = await startReplica(leadership);
    for (const path of ['/_ping', '/v1.41/info', '/metrics', '/debug/vars'])
      expect((await ask(replica, 'GET', path)).text).toBe('own');
    leadership.self = true;
    expect((await ask(replica, 'GET', '/containers/json')).text).toBe('own');
  });

  it('passes on connections that leave HTTP, half-closes included', async () => {
    const primary = await startPrimary(() => undefined);
    primary.server.on('upgrade', (req: IncomingMessage, socket: Socket) => {
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
      socket.write(`${req.url ?? ''} `);
      socket.pipe(socket);
    });
    const leadership = new Decided();
    leadership.primary = primary.address;
    const replica = await startReplica(leadership);
    const [host = '', port = ''] = replica.split(':');
    const socket = connect({ host, port: Number(port), allowHalfOpen: true });
    socket.write(
      'POST /v1.41/exec/abc/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n' +
        'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
    );
    let seen = '';
    socket.on('data', (chunk: Buffer) => {
      if (seen === '') socket.end('and back');
      seen += chunk.toString('latin1');
    });
    await new Promise((resolve) => socket.once('end', resolve));
    expect(seen).toMatch(/^HTTP\/1\.1 101 UPGRADED\r\n/);
    expect(seen).toMatch(/\/v1\.41\/exec\/abc\/start [^]*and back$/);
  });

  it('waits while there is no primary, also with what came to leave HTTP', async () => {
    const primary = await startPrimary(echo);
    const leadership = new Decided();
    const replica = await startReplica(leadership);
    const create = ask(replica, 'POST', '/containers/create', { body: '{}' });
    const attach = ask(replica, 'POST', '/containers/a/attach?stream=1');
    leadership.become(primary.address);
    expect((await create).status).toBe(201);
    // This primary has no container to attach to: an ordinary answer.
    expect((await attach).text).toBe('POST /containers/a/attach?stream=1 0');
  });

  it('answers by itself when it becomes the primary while requests wait', async () => {
    const leadership = new Decided();
    const replica = await startReplica(leadership);
    const waiting = ask(replica, 'POST', '/containers/create', { body: '{}' });
    leadership.self = true;
    leadership.become(undefined);
    expect((await waiting).text).toBe('own');
  });

  it('asks the next primary when the former one is gone, and says so when there is none in time', async () => {
    const former = await startPrimary(named('former'));
    former.server.close();
    const next = await startPrimary(named('next'));
    const leadership = new Decided();
    leadership.primary = former.address;
    const replica = await startReplica(leadership);
    const waiting = ask(replica, 'POST', '/containers/create', { body: '{}' });
    const upload = ask(replica, 'POST', '/build', { body: Buffer.alloc(500_000) });
    leadership.become(next.address);
    expect((await waiting).text).toBe('next');
    expect((await upload).text).toBe('next');
    leadership.become(former.address);
    const impatient = await startReplica(leadership, 300);
    const refused = await ask(impatient, 'GET', '/containers/json');
    expect(refused.status).toBe(500);
    expect(refused.text).toContain(
      `Unable to reach primary cluster manager: ${former.address}: connect ECONNREFUSED`,
    );
    leadership.become(undefined);
    expect((await ask(impatient, 'GET', '/containers/json')).text).toContain(
      'Unable to reach primary cluster manager: there is none',
    );
  });

  it('never passes on what was passed on to it, and asks again after a manager that does not lead', async () => {
    const leadership = new Decided();
    const second = new Decided();
    const replica = await startReplica(leadership);
    const other = await startReplica(second);
    // Each takes the other for the primary.
    second.primary = replica;
    leadership.primary = other;
    const looping = ask(replica, 'POST', '/containers/create', { body: '{}' });
    const direct = await ask(other, 'GET', '/version', { headers: { 'skep-forwarded-by': 'a:1' } });
    expect([direct.status, direct.headers['skep-not-primary']]).toEqual([500, 'true']);
    second.self = true;
    expect((await looping).text).toBe('own');
  });

  it('ends events when the primary changes, and leaves other streams', async () => {
    const stream: Handle = (_req, res) => {
      res.writeHead(200);
      res.write('first\n');
    };
    const primary = await startPrimary(stream);
    const leadership = new Decided();
    leadership.primary = primary.address;
    const replica = await startReplica(leadership);
    const [host, port] = replica.split(':');
    const open = (path: string): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        request({ host, port, path, agent: false }, resolve).on('error', reject).end();
      });
    const logs = await open('/containers/a/logs?follow=1');
    let logsEnded = false;
    logs.resume().on('close', () => (logsEnded = true));
    const events = await open('/v1.41/events');
    const ended = new Promise<string>((resolve) => events.once('end', () => resolve('ended')));
    events.resume();
    leadership.become('127.0.0.1:1');
    expect(await ended).toBe('ended');
    expect(logsEnded).toBe(false);
  });

  it('gives up what a dead primary does not answer once there is another one', async () => {
    const silent = await startPrimary(() => undefined);
    const next = await startPrimary(named('next'));
    const leadership = new Decided();
    leadership.primary = silent.address;
    const replica = await startReplica(leadership);
    const list = ask(replica, 'GET', '/containers/json');
    const create = ask(replica, 'POST', '/containers/create', { body: '{}' });
    // Both have reached it.
    await new Promise<void>((resolve) => {
      const look = (): void => (silent.sockets.size >= 2 ? resolve() : void setTimeout(look, 10));
      look();
    });
    leadership.become(next.address);
    expect((await list).text).toBe('next');
    expect((await create).text).toContain('Unable to reach primary cluster manager');
  });
});
