import { once } from 'node:events';
import { connect, createServer, type ClientHttp2Session, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { fromBinary, toBinary, create } from '@bufbuild/protobuf';
import { Code, ConnectError, createConnectRouter, type HandlerContext } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  Dispatcher,
  HeartbeatRequestSchema,
  HeartbeatResponseSchema,
} from '../../proto/generated/swarmkit/dispatcher_pb.js';
import { SwarmError } from '../base/errors.ts';
import { foreseenError } from './grpc-error.ts';
import { UnaryCalls } from './unary.ts';

const MAX_BYTES = 1000;
const HEARTBEAT = '/docker.swarmkit.v1.Dispatcher/Heartbeat';

let server: Http2Server;
let session: ClientHttp2Session;
let shutdown: AbortController;
let gate: (context: HandlerContext) => void;
const faults: string[] = [];

beforeEach(async () => {
  shutdown = new AbortController();
  gate = () => undefined;
  const calls = new UnaryCalls({
    readMaxBytes: MAX_BYTES,
    shutdownSignal: shutdown.signal,
    gate: (context) => gate(context),
    errorOf: (method, error) => foreseenError(method, error, (_, words) => faults.push(words)),
  });
  calls.noting(createConnectRouter()).service(Dispatcher, {
    heartbeat: ({ sessionId }) => {
      if (sessionId === 'swarm') throw new SwarmError('not-found', 'no such thing: ü \ud800');
      if (sessionId === 'defect') throw new TypeError('of a kind');
      return { period: { seconds: BigInt(sessionId.length) } };
    },
    // Not unary: none of its calls.
    assignments: () => {
      throw new Error('asked');
    },
  });
  server = createServer();
  server.on('request', (request, response) => {
    const peer = { addr: '', expiresAtMs: 0, refusal: '' };
    if (!calls.handle(request, response, peer)) response.writeHead(404).end();
  });
  server.listen(0);
  await once(server, 'listening');
  session = connect(`http://localhost:${(server.address() as AddressInfo).port}`);
});

afterEach(async () => {
  session.destroy();
  server.close();
  await once(server, 'close');
});

function frame(bytes: Uint8Array, flags = 0, length = bytes.length): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flags, 0);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, bytes]);
}

const heartbeat = (sessionId: string): Buffer =>
  frame(toBinary(HeartbeatRequestSchema, create(HeartbeatRequestSchema, { sessionId })));

interface Answer {
  readonly http: number | undefined;
  readonly status: unknown;
  readonly words: string;
  readonly body: Buffer;
}

async function call(body: Buffer, head: Record<string, string> = {}, path = HEARTBEAT): Promise<Answer> {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    ...head,
  });
  stream.on('error', () => undefined);
  const seen: Record<string, unknown> = {};
  const chunks: Buffer[] = [];
  stream.on('response', (headers) => void Object.assign(seen, headers));
  stream.on('trailers', (headers) => void Object.assign(seen, headers));
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.end(body);
  await once(stream, 'close');
  return {
    http: seen[':status'] as number | undefined,
    status: seen['grpc-status'],
    words: decodeURIComponent((seen['grpc-message'] as string | undefined) ?? ''),
    body: Buffer.concat(chunks),
  };
}

it('answers a call of one message', async () => {
  const { http, status, body } = await call(heartbeat('four'), { 'grpc-timeout': '5000m' });
  expect([http, status]).toEqual([200, '0']);
  expect(body.readUInt32BE(1)).toBe(body.length - 5);
  expect(fromBinary(HeartbeatResponseSchema, body.subarray(5)).period?.seconds).toBe(4n);
});

it('gives failures their codes, and keeps to itself what nobody foresaw', async () => {
  expect(await call(heartbeat('swarm'))).toMatchObject({ status: '5', words: 'no such thing: ü \ufffd' });
  expect(await call(heartbeat('defect'))).toMatchObject({ status: '13', words: 'internal error' });
  expect(faults).toEqual(['of a kind']);
});

it('refuses what is no single message of bearable size', async () => {
  const once = heartbeat('x');
  for (const body of [
    Buffer.alloc(0),
    Buffer.alloc(3),
    Buffer.concat([once, once]),
    frame(Buffer.alloc(4), 0, 9),
  ])
    expect(await call(body)).toMatchObject({ status: '3' });
  expect(await call(frame(Buffer.from([0xff, 0xff, 0xff])))).toMatchObject({ status: '3' });
  expect(await call(frame(Buffer.alloc(3), 1))).toMatchObject({ status: '3' });
  expect(await call(heartbeat('x'.repeat(MAX_BYTES * 100)))).toMatchObject({ status: '8' });
  expect((await call(once)).status).toBe('0');
});

it('leaves to Connect what is not plain', async () => {
  const plain = heartbeat('x');
  expect((await call(plain, { 'content-type': 'application/grpc+json' })).http).toBe(404);
  expect((await call(plain, { 'grpc-encoding': 'gzip' })).http).toBe(404);
  expect((await call(plain, { 'grpc-timeout': 'soon' })).http).toBe(404);
  expect((await call(plain, {}, '/docker.swarmkit.v1.Dispatcher/Assignments')).http).toBe(404);
  expect((await call(plain, {}, '/__proto__')).http).toBe(404);
});

it('asks who calls first, and takes nothing once the server stops', async () => {
  gate = () => {
    throw new ConnectError('not you', Code.PermissionDenied);
  };
  expect(await call(heartbeat('x'))).toMatchObject({ status: '7', words: 'not you' });
  shutdown.abort(new ConnectError('the manager is stopping', Code.Unavailable));
  expect(await call(heartbeat('x'))).toMatchObject({ status: '14', words: 'the manager is stopping' });
});

it('bears callers that go away', async () => {
  const stream = session.request({
    ':method': 'POST',
    ':path': HEARTBEAT,
    'content-type': 'application/grpc',
  });
  stream.on('error', () => undefined);
  stream.write(heartbeat('x').subarray(0, 4));
  stream.close(8);
  await once(stream, 'close');
  expect((await call(heartbeat('x'))).status).toBe('0');
});
