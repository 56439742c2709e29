import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import { connect, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { Sessions } from './sessions.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

it('waits for nobody who never closes a connection', async () => {
  const server = createServer();
  const sessions = new Sessions();
  const began = once(server, 'session') as Promise<[ServerHttp2Session]>;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // As a host that is frozen, or whose link is cut: it answers nothing, not even an end.
  const client = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true });
  client.on('error', () => undefined);
  client.write(Buffer.concat([PREFACE, EMPTY_SETTINGS]));
  try {
    const [session] = await began;
    session.on('error', () => undefined);
    // Without TLS, nobody shows a certificate.
    Object.assign(session.socket, { getPeerCertificate: () => ({}) });
    sessions.add(session, '127.0.0.1');
    await sessions.end(50);
    expect(session.destroyed).toBe(true);
  } finally {
    client.destroy();
    server.close();
  }
});
