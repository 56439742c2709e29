import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { FrameReader } from './frames.ts';
import { JuteReader, JuteWriter } from './jute.ts';
import { childrenOf } from './nodes.ts';
import { Session } from './session.ts';
import { zkDiscovery } from './zk.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** Listens and hands every connection to `serve`; gives its address. */
async function listen(serve: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function open(...endpoints: string[]): Session {
  const session = new Session({ endpoints, timeoutMs: 3_000, keep: false });
  closers.push(() => session.close(false));
  return session;
}

/** A server that greets, then answers each request by `answer`. */
function greeting(answer: (xid: number, socket: Socket) => void): (socket: Socket) => void {
  return (socket) => {
    const frames = new FrameReader();
    let greeted = false;
    socket.on('data', (chunk) => {
      for (const frame of frames.push(chunk)) {
        if (greeted) answer(new JuteReader(frame).int(), socket);
        else socket.write(new JuteWriter().int(0).int(3_000).long(7n).bytes(Buffer.alloc(16)).frame());
        greeted = true;
      }
    });
  };
}

const children =
  (...names: string[]) =>
  (xid: number, socket: Socket): void => {
    const record = new JuteWriter().int(xid).long(1n).int(0).int(names.length);
    for (const name of names) record.text(name);
    socket.write(record.frame());
  };

const signal = AbortSignal.timeout(60_000);
const unavailable = (words: string): unknown =>
  expect.objectContaining({ code: 'unavailable', message: expect.stringContaining(words) as string });

test('asks, and is answered', async () => {
  const session = open(await listen(greeting(children('a', 'b'))));
  expect(await childrenOf(session, '/x', signal)).toEqual(['a', 'b']);
  expect(session.id).toBe(7n);
});

test('goes to the server that answers', async () => {
  const dead = '127.0.0.1:1';
  const good = await listen(greeting(children('a')));
  for (let turn = 0; turn < 4; turn++)
    expect(await childrenOf(open(dead, good), '/x', signal)).toEqual(['a']);
  await expect(childrenOf(open(dead), '/x', signal)).rejects.toEqual(
    unavailable('127.0.0.1:1 refuses connections'),
  );
});

test.each<[string, (socket: Socket) => void, string]>([
  ['HTTP', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'), 'HTTP is spoken there'],
  ['TLS', (socket) => socket.write(Buffer.from([0x15, 3, 1, 0, 2, 2, 70])), 'TLS is spoken there'],
  ['a closed door', (socket) => socket.end(), 'closed the connection without a greeting'],
  ['a short greeting', (socket) => socket.write(Buffer.from([0, 0, 0, 2, 1, 1])), 'not of the ZooKeeper'],
  ['silence', () => undefined, 'does not answer'],
])('names what it finds instead of a ZooKeeper: %s', async (_name, serve, words) => {
  await expect(childrenOf(open(await listen(serve)), '/x', signal)).rejects.toEqual(unavailable(words));
});

test.each<[string, (xid: number, socket: Socket) => void, string]>([
  ['another number', (xid, socket) => children('a')(xid + 1, socket), 'not what was asked'],
  ['too many names', (xid, socket) => socket.write(tooMany(xid)), 'not of the ZooKeeper protocol'],
  ['half an answer', (_xid, socket) => socket.end(Buffer.from([0, 0, 0, 9, 1])), 'closed the connection'],
  ['an endless frame', (_xid, socket) => socket.write(Buffer.alloc(64, 0x7f)), 'not of the ZooKeeper'],
  ['nothing', () => undefined, 'does not answer'],
])('survives %s', async (_name, answer, words) => {
  const session = open(await listen(greeting(answer)));
  await expect(childrenOf(session, '/x', signal)).rejects.toEqual(unavailable(words));
  expect(session.id).toBe(7n);
});

test('a request ends with its signal', async () => {
  const session = open(await listen(greeting(() => undefined)));
  await expect(childrenOf(session, '/x', AbortSignal.timeout(100))).rejects.toMatchObject({
    name: 'TimeoutError',
  });
});

test('what is closed while it connects leaves no connection', async () => {
  const ended = new Promise<void>((resolve) => {
    void listen((socket) => socket.resume().once('close', resolve)).then((endpoint) => {
      const session = new Session({ endpoints: [endpoint], timeoutMs: 60_000, keep: true });
      const asked = expect(childrenOf(session, '/x', signal)).rejects.toThrow('the discovery is closed');
      servers.at(-1)?.once('connection', () => session.close(false));
      return asked;
    });
  });
  await ended;
});

test('a server that greets and closes at once is not stormed', async () => {
  let connections = 0;
  const endpoint = await listen((socket) => {
    connections += 1;
    socket.once('data', () =>
      socket.end(new JuteWriter().int(0).int(3_000).long(7n).bytes(Buffer.alloc(16)).frame()),
    );
  });
  const session = new Session({ endpoints: [endpoint], timeoutMs: 3_000, keep: true });
  closers.push(() => session.close(false));
  await childrenOf(session, '/x', signal).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(connections).toBeGreaterThan(1);
  expect(connections).toBeLessThan(20);
});

test('TLS files are refused', () => {
  const tls = { ca: Buffer.alloc(0), cert: Buffer.alloc(0), key: Buffer.alloc(0) };
  expect(() => zkDiscovery('a', { heartbeatMs: 1000, store: { tls } })).toThrow('not supported by zk://');
});

function tooMany(xid: number): Buffer {
  return new JuteWriter().int(xid).long(1n).int(0).int(1_000_000).frame();
}
