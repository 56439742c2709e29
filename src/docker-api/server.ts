import { chmod, rm } from 'node:fs/promises';
import { IncomingMessage, ServerResponse, createServer as createHttpServer, type Server } from 'node:http';
import {
  connect,
  createServer as createNetServer,
  type AddressInfo,
  type Server as NetServer,
  type Socket,
} from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Hijack } from './call.ts';
import { isHijackPath, readRequestHead } from './hijack.ts';

/** Where a server listens. */
export type Listen = { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string };

export interface ApiServerOptions {
  listen: readonly Listen[];
  /** Speak TLS on the TCP addresses. */
  tls?: { ca?: Buffer; cert: Buffer; key: Buffer; verifyClients: boolean };
  /** Answers one request; with `hijack` the connection has left HTTP already. Must not throw. */
  handle: (req: IncomingMessage, res: ServerResponse, hijack?: Hijack) => void;
}

export interface ApiServer {
  /** What was bound, ports resolved. */
  readonly addresses: readonly Listen[];
  /** Stops listening, gives answers under way `graceMs`, then cuts what is left. */
  close(graceMs?: number): Promise<void>;
}

const HEAD_TIMEOUT_MS = 60_000;
/** Docker keeps idle connections; closing them early races with the next request of a client. */
const IDLE_TIMEOUT_MS = 10 * 60_000;
const LAST_WORD_MS = 2_000;
/** Probes find a client that vanished without a word; a reader of events would be kept for ever. */
const LISTENING = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
const HEADER_MAX_BYTES = 128 * 1024;
const TLS_HANDSHAKE = 0x16;
const CLIENT_ERRORS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
const PLAIN_AT_TLS =
  'HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n' +
  'Client sent an HTTP request to an HTTPS server.\n';

/**
 * Listens and hands over requests. Every connection is looked at before the HTTP parser sees it, for two reasons:
 * a plain request at a TLS port deserves an answer in words, and a client may hijack without asking for an Upgrade,
 * after which its bytes are not HTTP any more.
 * Throws the error of `listen` (`EADDRINUSE` …) after closing what was already bound.
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const open = new Set<Socket>();
  const http = createHttp(options.handle);
  const secure = options.tls
    ? createTls(options.tls, (socket) => receive(socket, http, options.handle))
    : undefined;
  const bound: NetServer[] = [];
  const addresses: Listen[] = [];
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  try {
    for (const listen of options.listen) {
      const tls = listen.kind === 'tcp' ? secure : undefined;
      const server = createNetServer(LISTENING, (socket) => {
        open.add(socket);
        socket.once('close', () => open.delete(socket));
        socket.on('error', () => undefined);
        if (tls) receiveSecure(socket, tls);
        else receive(socket, http, options.handle);
      });
      bound.push(server);
      addresses.push(await listenOn(server, listen));
    }
  } catch (error) {
    for (const server of bound) server.close();
    throw error;
  }
  return {
    addresses,
    async close(graceMs = 1000) {
      const closed = Promise.all(
        bound.map((server) => new Promise<void>((done) => server.close(() => done()))),
      );
      http.closeIdleConnections();
      const timer = setTimeout(cut, graceMs);
      await closed;
      http.close();
      clearTimeout(timer);
    },
  };
}

function createHttp(handle: ApiServerOptions['handle']): Server {
  const http = createHttpServer(
    {
      headersTimeout: HEAD_TIMEOUT_MS,
      requestTimeout: 0,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      maxHeaderSize: HEADER_MAX_BYTES,
      shouldUpgradeCallback: (req) => isHijackPath(req.method ?? '', req.url ?? ''),
    },
    (req, res) => handle(req, res),
  );
  http.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
    takeOver(req, socket, head, handle);
  });
  http.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable) return;
    const status = CLIENT_ERRORS[error.code ?? ''] ?? '400 Bad Request';
    endWith(
      socket,
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${status}`,
    );
  });
  // It looks at its time limits from the moment it listens, and this one never does by itself.
  http.emit('listening');
  return http;
}

function createTls(tls: NonNullable<ApiServerOptions['tls']>, accept: (socket: Socket) => void): TlsServer {
  const server = createTlsServer(
    {
      ...(tls.ca ? { ca: tls.ca } : {}),
      cert: tls.cert,
      key: tls.key,
      requestCert: tls.verifyClients,
      rejectUnauthorized: tls.verifyClients,
      minVersion: 'TLSv1.2',
      allowHalfOpen: true,
    },
    (socket) => {
      socket.on('error', () => undefined);
      accept(socket);
    },
  );
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

/** Says a last word. A peer that then keeps its half open does not keep the connection. */
function endWith(socket: Socket, text: string): void {
  socket.end(text);
  setTimeout(() => socket.destroy(), LAST_WORD_MS).unref();
}

/** Calls back with the first bytes of a connection, as many as `enough` asks for; they stay to be read. */
function peek(socket: Socket, enough: (seen: Buffer) => boolean, done: (seen: Buffer) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), HEAD_TIMEOUT_MS);
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', stop);
  };
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    if (!enough(seen)) return;
    stop();
    socket.pause();
    socket.unshift(seen);
    done(seen);
  };
  const onEnd = (): void => void socket.end();
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', stop);
}

function receiveSecure(socket: Socket, tls: TlsServer): void {
  peek(socket, always, (chunk) => {
    if (chunk[0] === TLS_HANDSHAKE) {
      // TLS takes the bytes that wait and reads the socket itself from here on.
      tls.emit('connection', socket);
    } else {
      endWith(socket, PLAIN_AT_TLS);
      socket.resume();
    }
  });
}

function receive(socket: Socket, http: Server, handle: ApiServerOptions['handle']): void {
  peek(socket, hasTarget, (chunk) => {
    if (mayHijack(chunk)) {
      readRequestHead(socket, HEAD_TIMEOUT_MS, (head) => {
        if (head.ordinary) {
          socket.unshift(head.raw);
          http.emit('connection', socket);
          socket.resume();
          return;
        }
        const req = new IncomingMessage(socket);
        req.method = head.method;
        req.url = head.url;
        req.httpVersion = '1.1';
        req.httpVersionMajor = 1;
        req.httpVersionMinor = 1;
        req.rawHeaders = head.rawHeaders;
        takeOver(req, socket, head.rest, handle);
      });
    } else {
      http.emit('connection', socket);
      socket.resume();
    }
  });
}

const always = (): boolean => true;
const POST = Buffer.from('POST ');
const TARGET_MAX_BYTES = 64 * 1024;

/** Whether the first bytes tell if the request is one that may hijack: its whole first line, where it is a POST. */
function hasTarget(seen: Buffer): boolean {
  const length = Math.min(seen.length, POST.length);
  if (seen.compare(POST, 0, length, 0, length) !== 0) return true;
  return seen.includes(0x0a) || seen.length > TARGET_MAX_BYTES;
}

/** Whether the first bytes of a connection are a request that dockerd would hijack. */
function mayHijack(seen: Buffer): boolean {
  if (seen[0] !== POST[0]) return false;
  const end = seen.indexOf(0x0a);
  if (end < 0) return false;
  const line = /^POST (\S+) HTTP\/1\.[01]\r?$/.exec(seen.toString('latin1', 0, end));
  return line !== null && isHijackPath('POST', line[1] ?? '');
}

function takeOver(
  req: IncomingMessage,
  socket: Socket,
  head: Buffer,
  handle: ApiServerOptions['handle'],
): void {
  socket.on('error', () => undefined);
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket);
  res.once('finish', () => socket.end());
  handle(req, res, { socket, head });
}

async function listenOn(server: NetServer, listen: Listen): Promise<Listen> {
  if (listen.kind === 'unix') await removeDeadSocket(listen.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const done = (): void => {
      server.off('error', reject);
      server.on('error', () => undefined);
      resolve();
    };
    if (listen.kind === 'unix') server.listen(listen.path, done);
    else server.listen({ port: listen.port, ...(listen.host === '' ? {} : { host: listen.host }) }, done);
  });
  if (listen.kind === 'unix') {
    await chmod(listen.path, 0o660);
    return listen;
  }
  return { kind: 'tcp', host: listen.host, port: (server.address() as AddressInfo).port };
}

/** Removes a socket file that nobody listens on any more, as a killed process leaves it. */
async function removeDeadSocket(path: string): Promise<void> {
  const dead = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
  if (dead) await rm(path, { force: true });
}
