import { chmod, rm } from 'node:fs/promises';
import { IncomingMessage, ServerResponse, createServer as createHttpServer, type Server } from 'node:http';
import { connect, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import { peek } from '../base/peek.ts';
import type { Hijack } from './call.ts';
import { isHijackPath, readRequestHead } from './hijack.ts';
import { endWith, plainAnswer } from './last-word.ts';
import { quietRefusals } from './refusals.ts';
import { beginsTls, refuseTls, TlsFront, type OnRefused, type ServerTls } from './tls-front.ts';

/** Where a server listens. */
export type Listen = { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string };

/** A socket that somebody else opened for this process. */
export interface ListenFd {
  kind: 'fd';
  fd: number;
}

export interface ApiServerOptions {
  listen: readonly (Listen | ListenFd)[];
  /** Speak TLS on the TCP addresses. */
  tls?: ServerTls;
  /** Told of clients that came with the wrong TLS, at most once a minute for each address. */
  onRefused?: OnRefused;
  /** Answers one request; with `hijack` the connection has left HTTP already. Must not throw. */
  handle: (req: IncomingMessage, res: ServerResponse, hijack?: Hijack) => void;
}

export interface ApiServer {
  /** What was bound, ports resolved. */
  readonly addresses: readonly Listen[];
  /** Stops listening, gives answers under way `graceMs`, or until `quiet`, then cuts what is left. */
  close(graceMs?: number, quiet?: Promise<void>): Promise<void>;
}

const HEAD_TIMEOUT_MS = 60_000;
/** Docker keeps idle connections; closing them early races with the next request of a client. */
const IDLE_TIMEOUT_MS = 10 * 60_000;
/** How long what was just answered may be on its way to a socket. */
const FLUSH_MS = 200;
/** Probes find a client that vanished without a word; a reader of events would be kept for ever. */
const LISTENING = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
const HEADER_MAX_BYTES = 128 * 1024;
const CLIENT_ERRORS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/**
 * Listens and hands over requests. Every connection is looked at before the HTTP parser sees it, for two reasons:
 * a plain request at a TLS port deserves an answer in words, and a client may hijack without asking for an Upgrade,
 * after which its bytes are not HTTP any more.
 * Throws the error of `listen` (`EADDRINUSE` …) after closing what was already bound.
 */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const open = new Set<Socket>();
  const http = createHttp(options.handle);
  const onRefused = quietRefusals(options.onRefused ?? (() => undefined));
  const serve = (socket: Socket, seen: Buffer): void => receive(socket, seen, http, options.handle);
  const secure = options.tls
    ? new TlsFront(
        options.tls,
        (socket) => peek(socket, HEAD_TIMEOUT_MS, hasTarget, (seen) => serve(socket, seen)),
        onRefused,
      )
    : undefined;
  const bound: NetServer[] = [];
  const addresses: Listen[] = [];
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  try {
    for (const listen of options.listen) {
      let tls = listen.kind === 'unix' ? undefined : secure;
      const server = createNetServer(LISTENING, (socket) => {
        open.add(socket);
        socket.once('close', () => open.delete(socket));
        socket.on('error', () => undefined);
        const front = tls;
        if (front) peek(socket, HEAD_TIMEOUT_MS, always, (seen) => front.receive(socket, seen));
        else
          peek(socket, HEAD_TIMEOUT_MS, hasTarget, (seen) => {
            if (beginsTls(seen)) refuseTls(socket, onRefused);
            else serve(socket, seen);
          });
      });
      bound.push(server);
      const address = await listenOn(server, listen);
      if (address.kind === 'unix') tls = undefined;
      addresses.push(address);
    }
  } catch (error) {
    for (const server of bound) server.close();
    throw error;
  }
  return {
    addresses,
    async close(graceMs = 1000, quiet?: Promise<void>) {
      const closed = Promise.all(
        bound.map((server) => new Promise<void>((done) => server.close(() => done()))),
      );
      http.closeIdleConnections();
      const timers = [setTimeout(cut, graceMs)];
      void quiet?.then(() => timers.push(setTimeout(cut, FLUSH_MS)));
      await closed;
      http.close();
      for (const timer of timers) clearTimeout(timer);
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
    endWith(socket, plainAnswer(status, status));
  });
  // It looks at its time limits from the moment it listens, and this one never does by itself.
  http.emit('listening');
  return http;
}

function receive(socket: Socket, seen: Buffer, http: Server, handle: ApiServerOptions['handle']): void {
  if (!mayHijack(seen)) {
    http.emit('connection', socket);
    socket.resume();
    return;
  }
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

async function listenOn(server: NetServer, listen: Listen | ListenFd): Promise<Listen> {
  if (listen.kind === 'unix') await removeDeadSocket(listen.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const done = (): void => {
      server.off('error', reject);
      server.on('error', () => undefined);
      resolve();
    };
    if (listen.kind === 'unix') server.listen(listen.path, done);
    else if (listen.kind === 'fd') server.listen({ fd: listen.fd }, done);
    else server.listen({ port: listen.port, ...(listen.host === '' ? {} : { host: listen.host }) }, done);
  });
  if (listen.kind === 'unix') {
    await chmod(listen.path, 0o660);
    return listen;
  }
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return { kind: 'unix', path: bound ?? '' };
  return { kind: 'tcp', host: listen.kind === 'tcp' ? listen.host : bound.address, port: bound.port };
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
