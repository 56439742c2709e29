import { once } from 'node:events';
import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { Code, ConnectError, createClient, type ConnectRouter } from '@connectrpc/connect';
import { afterEach, expect, test } from 'vitest';
import { CA, NodeCA } from '../../proto/generated/swarmkit/ca_pb.js';
import { Dispatcher } from '../../proto/generated/swarmkit/dispatcher_pb.js';
import {
  connectTo,
  fetchRoot,
  joinSwarm,
  startTestSwarm,
  type TestSwarm,
  type TestSwarmOptions,
} from '../../test/agents/index.ts';
import { startCutProxy } from '../../test/chaos/cut-proxy.ts';
import { SwarmError } from '../base/errors.ts';
import { issueManagerCertificate } from './index.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function startSwarm(options: TestSwarmOptions = {}): Promise<TestSwarm> {
  const swarm = await startTestSwarm(options);
  open.push(() => swarm.close());
  return swarm;
}

const portOf = ({ addr }: TestSwarm): number => Number(addr.split(':')[1]);

/** Whatever was done to it, it still serves. */
async function stillServes(swarm: TestSwarm): Promise<void> {
  expect(await fetchRoot(swarm.addr, swarm.workerToken())).toBe(swarm.cluster().rootCa.certPem);
}

function tcp(swarm: TestSwarm): Socket {
  const socket = connectTcp(portOf(swarm), '127.0.0.1');
  socket.on('error', () => undefined);
  open.push(() => socket.destroy());
  return socket;
}

async function tls(swarm: TestSwarm, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const ca = swarm.cluster().rootCa.certPem;
  const socket = connectTls({ port: portOf(swarm), ca, servername: 'swarm-manager', ...options });
  socket.on('error', () => undefined);
  open.push(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

/** HTTP/2 by hand, over a socket whose hello named no protocol: as an engine after its renewal. */
async function http2(swarm: TestSwarm): Promise<{ session: ClientHttp2Session; socket: TLSSocket }> {
  const socket = await tls(swarm);
  const session = connectHttp2('https://swarm-manager', { createConnection: () => socket });
  session.on('error', () => undefined);
  open.push(() => session.destroy());
  return { session, socket };
}

async function callRaw(session: ClientHttp2Session, headers: OutgoingHttpHeaders): Promise<unknown> {
  const stream = session.request({ ':method': 'POST', 'content-type': 'application/grpc', ...headers });
  stream.on('error', () => undefined);
  stream.end(Buffer.alloc(5));
  stream.resume();
  let status: unknown;
  stream.on('response', (head: IncomingHttpHeaders) => (status = head['grpc-status']));
  stream.on('trailers', (trailers: IncomingHttpHeaders) => (status = trailers['grpc-status']));
  await new Promise((resolve) => stream.once('close', resolve));
  return status;
}

const ROOT = '/docker.swarmkit.v1.CA/GetRootCACertificate';

test('a hello that names no protocol is taken for HTTP/2', async () => {
  const swarm = await startSwarm();
  const { session } = await http2(swarm);
  expect(await callRaw(session, { ':path': ROOT })).toBe('0');
});

test('plain HTTP, noise, old TLS and what comes after a handshake but is no HTTP/2 end alone', async () => {
  const swarm = await startSwarm();
  for (const bytes of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', '\x16\x03\x01\x02\x00noise', 'SSH-2.0-x\r\n']) {
    const socket = tcp(swarm);
    socket.resume().write(bytes);
    // A half record is waited for, until the handshake's time is over.
    if (bytes.startsWith('\x16')) socket.end();
    await once(socket, 'close');
  }
  await expect(tls(swarm, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' })).rejects.toThrow();
  const odd = await tls(swarm);
  odd.resume().write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(odd, 'close');
  await stillServes(swarm);
});

test('a handshake that never ends is given up', async () => {
  const swarm = await startSwarm({ handshakeMs: 100 });
  const silent = tcp(swarm);
  silent.resume();
  await once(silent, 'close');
  await stillServes(swarm);
});

test('heads that make no sense are answered or cut, and harm nobody else', async () => {
  const swarm = await startSwarm();
  const { session } = await http2(swarm);
  const grpc = { ':path': ROOT };
  for (const authority of ['%%%[', '[::', 'host:99999999', ''])
    await callRaw(session, { ...grpc, ':authority': authority });
  expect(await callRaw(session, { ...grpc, ':path': '/__proto__/constructor' })).toBe('12');
  expect(await callRaw(session, { ...grpc, ':path': '*' })).not.toBe('0');
  expect(await callRaw(session, { ...grpc, ':method': 'GET' })).toBeUndefined();
  expect(await callRaw(session, { ...grpc, 'content-type': 'text/html' })).toBeUndefined();
  expect(await callRaw(session, { ...grpc, 'grpc-timeout': 'soon' })).not.toBe('0');
  expect(await callRaw(session, { ...grpc, 'grpc-encoding': 'nonsense' })).not.toBe('0');
  expect(await callRaw(session, grpc)).toBe('0');
  await stillServes(swarm);
});

test('strangers may call the CA only, and send little', async () => {
  const swarm = await startSwarm({ routes: (router) => router.service(Dispatcher, {}) });
  const connection = connectTo(swarm.addr, { rootPem: swarm.cluster().rootCa.certPem });
  open.push(() => connection.close());
  const beat = createClient(Dispatcher, connection.transport).heartbeat({ sessionId: 'x'.repeat(5_000_000) });
  await expect(beat).rejects.toMatchObject({
    code: Code.PermissionDenied,
    rawMessage: 'no client certificates in request',
  });
  const client = createClient(NodeCA, connection.transport);
  const big = client.issueNodeCertificate({ csr: Buffer.alloc(100_000) });
  await expect(big).rejects.toMatchObject({ code: Code.ResourceExhausted });
  await createClient(CA, connection.transport).getRootCACertificate({});
});

test('a stranger has few calls under way at a time', async () => {
  const swarm = await startSwarm();
  const { session } = await http2(swarm);
  const held = Array.from({ length: 40 }, () => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/docker.swarmkit.v1.NodeCA/IssueNodeCertificate',
      'content-type': 'application/grpc',
    });
    stream.on('error', () => undefined);
    stream.write(Buffer.alloc(5));
    return stream;
  });
  const closed = held.map((stream) => new Promise<void>((done) => stream.once('close', () => done())));
  await Promise.all(closed.slice(8));
  expect(held.filter((stream) => !stream.closed)).toHaveLength(8);
  await stillServes(swarm);
});

test('failures keep their words when they were foreseen, and are logged when not', async () => {
  const swarm = await startSwarm({
    routes: (router) =>
      router.service(Dispatcher, {
        heartbeat: () => Promise.reject(new SwarmError('conflict', 'not now')),
        updateTaskStatus: () => Promise.reject(new TypeError('secret detail')),

        async *session() {
          throw new SwarmError('not-found', 'no such node');
        },
      }),
  });
  const client = createClient(Dispatcher, (await joined(swarm)).transport);
  const beat = client.heartbeat({});
  await expect(beat).rejects.toMatchObject({ code: Code.FailedPrecondition, rawMessage: 'not now' });
  const fault = client.updateTaskStatus({});
  await expect(fault).rejects.toMatchObject({ code: Code.Internal, rawMessage: 'internal error' });
  const messages = (async () => {
    for await (const message of client.session({})) expect.fail(message.sessionId);
  })();
  await expect(messages).rejects.toMatchObject({ code: Code.NotFound, rawMessage: 'no such node' });
  expect(swarm.lines.filter((line) => line.includes('secret detail'))).toHaveLength(1);
  expect(swarm.lines.join('')).not.toContain('not now');
});

/** A member's connection. */
async function joined(swarm: TestSwarm): Promise<ReturnType<typeof connectTo>> {
  const credentials = await joinSwarm({ addr: swarm.addr, token: swarm.workerToken() });
  const connection = connectTo(swarm.addr, { rootPem: credentials.rootPem, credentials });
  open.push(() => connection.close());
  return connection;
}

/** A session that stays open until its caller is gone. */
function longSession(router: ConnectRouter, ended: (reason: unknown) => void): void {
  router.service(Dispatcher, {
    async *session(_request, { signal }) {
      yield { sessionId: 's' };
      await once(signal, 'abort');
      ended(signal.reason);
    },
  });
}

test('an agent that vanished is noticed; one that answers stays; a stranger without calls goes', async () => {
  const gone = Promise.withResolvers<unknown>();
  const swarm = await startSwarm({ lookMs: 1_000, routes: (router) => longSession(router, gone.resolve) });
  const credentials = await joinSwarm({ addr: swarm.addr, token: swarm.workerToken() });
  const stranger = await http2(swarm);
  const strangerGone = once(stranger.session, 'close');
  const live = createClient(Dispatcher, (await joined(swarm)).transport).session({});
  expect((await live[Symbol.asyncIterator]().next()).done).toBe(false);

  const proxy = await startCutProxy(swarm.addr);
  open.push(() => proxy[Symbol.asyncDispose]());
  const lost = connectTo(proxy.address, { rootPem: credentials.rootPem, credentials });
  open.push(() => lost.close());
  const silent = createClient(Dispatcher, lost.transport).session({})[Symbol.asyncIterator]();
  await silent.next();
  proxy.cut();
  await gone.promise;
  await strangerGone;
  await expect.poll(() => swarm.server.connections(), { timeout: 10_000 }).toBe(1);
});

test('new credentials are for new connections, and old ones live on', async () => {
  const swarm = await startSwarm({ routes: (router) => longSession(router, () => undefined) });
  const connection = await joined(swarm);
  const session = createClient(Dispatcher, connection.transport).session({});
  expect((await session[Symbol.asyncIterator]().next()).done).toBe(false);
  const before = (await tls(swarm)).getPeerX509Certificate()?.serialNumber;
  swarm.server.setCredentials(await issueManagerCertificate(swarm.cluster(), 'manager0', Date.now()));
  expect((await tls(swarm)).getPeerX509Certificate()?.serialNumber).not.toBe(before);
  await createClient(CA, connection.transport).getRootCACertificate({});
  await joined(swarm);
});

test('closing ends what goes on as unavailable, and leaves nothing', async () => {
  const ended = Promise.withResolvers<unknown>();
  const swarm = await startSwarm({ routes: (router) => longSession(router, ended.resolve) });
  const session = createClient(Dispatcher, (await joined(swarm)).transport).session({});
  const messages = session[Symbol.asyncIterator]();
  await messages.next();
  await tls(swarm);
  tcp(swarm);
  const closing = swarm.server.close(300);
  const reason = await ended.promise;
  expect(ConnectError.from(reason).code).toBe(Code.Unavailable);
  await closing;
  expect(swarm.server.connections()).toBe(0);
  await swarm.server.close(0);
});

test('a port that is taken is an error, not a crash', async () => {
  const swarm = await startSwarm();
  const taken = startTestSwarm({ port: portOf(swarm) });
  await expect(taken).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
