import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import { expect, test } from 'vitest';
import { seeded } from '../../../test/seeded.ts';
import { readFirstBytes } from './client-hello.ts';

/** What a TLS client sends first. */
async function helloOf(options: ConnectionOptions): Promise<Buffer> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const arrived = once(server, 'connection') as Promise<[Socket]>;
  const client = connect({ ...options, port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  client.on('error', () => undefined);
  try {
    const [socket] = await arrived;
    socket.on('error', () => undefined);
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return bytes;
  } finally {
    client.destroy();
    server.close();
  }
}

/** The same message in records of so many bytes. */
function inSmallRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    const head = Buffer.from([22, 3, 1, 0, 0]);
    head.writeUInt16BE(part.length, 3);
    records.push(head, part);
  }
  return Buffer.concat(records);
}

test('reads what a client offers, and waits until all of it is there', async () => {
  const hello = await helloOf({ ALPNProtocols: ['h2', 'skep-relay'], servername: 'swarm-manager' });
  for (const bytes of [hello, inSmallRecords(hello, Math.ceil(hello.length / 5))]) {
    expect(readFirstBytes(bytes)).toEqual({ kind: 'hello', protocols: ['h2', 'skep-relay'] });
    expect(readFirstBytes(Buffer.concat([bytes, Buffer.from('more')]))).toMatchObject({ kind: 'hello' });
    for (let length = 0; length < bytes.length; length++)
      expect(readFirstBytes(bytes.subarray(0, length))).toEqual({ kind: 'part' });
  }
});

test('knows a hello that offers nothing, of older TLS too', async () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
    expect(readFirstBytes(await helloOf({ maxVersion }))).toEqual({ kind: 'hello', protocols: [] });
});

test.each([
  'GET / HTTP/1.1\r\n',
  'PRI * HTTP/2.0',
  'SSH-2.0-x\r\n',
  '\x15\x03\x01\x00\x02\x02\x28',
  '\x16\x03\x01\x00\x04\x02\x00\x00\x00',
  '\x16\x03\x01\x00\x04\x01\xff\xff\xff',
])('%j is something else', (text) => {
  expect(readFirstBytes(Buffer.from(text, 'latin1'))).toEqual({ kind: 'other' });
});

test('a hello that never ends is something else, and noise harms nobody', async () => {
  const record = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0x40, 0]), Buffer.alloc(100)]);
  expect(readFirstBytes(record)).toEqual({ kind: 'other' });
  expect(readFirstBytes(inSmallRecords(await helloOf({}), 1))).toEqual({ kind: 'other' });
  // Records without content.
  expect(readFirstBytes(Buffer.alloc(20_000, Buffer.from([22, 3, 1, 0, 0])))).toEqual({ kind: 'other' });
  const hello = await helloOf({ ALPNProtocols: ['h2'] });
  const random = seeded(7);
  for (let i = 0; i < 2_000; i++) {
    const noisy = Buffer.from(hello);
    for (let changes = 0; changes < 3; changes++)
      noisy[random.whole(0, noisy.length - 1)] = random.whole(0, 255);
    expect(['hello', 'part', 'other']).toContain(readFirstBytes(noisy).kind);
  }
});
