import { once } from 'node:events';
import {
  createSecureServer,
  type Http2SecureServer,
  type SecureServerOptions,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import type { Logger } from '../base/log.ts';
import { grpcHandler } from './handler.ts';
import { RefusalLog } from './refusal-log.ts';
import { Sessions } from './sessions.ts';

/** What a manager proves itself with, and what it checks others by; PEM. */
export interface SwarmCredentials {
  /** The leaf, then the root. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly rootPem: string;
}

export interface SwarmServerOptions {
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly credentials: SwarmCredentials;
  /** Adds the services; called twice, because callers without a certificate may send less. */
  readonly routes: (router: ConnectRouter) => void;
  readonly log: Logger;
  /** How often silent connections are looked at; 20 s if nothing is said. */
  readonly lookMs?: number;
  /** How long a TLS handshake may take; 10 s if nothing is said. */
  readonly handshakeMs?: number;
}

/** The swarm's port. */
export interface SwarmServer {
  readonly port: number;
  /** For new connections; live ones go on with what they have. */
  setCredentials(credentials: SwarmCredentials): void;
  /** Connections that are open now. */
  connections(): number;
  /** Stops listening, ends all calls as unavailable, and cuts after `graceMs` what is still open. */
  close(graceMs: number): Promise<void>;
}

/** gRPC's own default, which SwarmKit has too. */
const MESSAGE_MAX_BYTES = 4 * 1024 * 1024;
/** A request for a certificate has under 1 KB. */
const STRANGER_MESSAGE_MAX_BYTES = 32 * 1024;
const HANDSHAKE_MAX_MS = 10_000;
const LOOK_MS = 20_000;
const LIMITS: SecureServerOptions = {
  // One call of an agent for each log that is being read, besides its five.
  settings: { maxConcurrentStreams: 500, maxHeaderListSize: 16 * 1024 },
  maxHeaderListPairs: 64,
  maxSessionMemory: 64,
};

/**
 * Listens for agents: gRPC over mutual TLS, as SwarmKit's managers. A joiner has no certificate yet, so the server asks
 * for one without insisting; which calls need one is decided call by call. Throws the error of `listen` (`EADDRINUSE` …).
 */
export async function startSwarmServer(options: SwarmServerOptions): Promise<SwarmServer> {
  const { log, routes } = options;
  const server = createSecureServer({
    ...LIMITS,
    handshakeTimeout: options.handshakeMs ?? HANDSHAKE_MAX_MS,
    ...tlsOptions(options.credentials),
  });
  const sockets = new Set<Socket>();
  const sessions = new Sessions();
  const shutdown = new AbortController();
  const onFault = (method: string, words: string): void =>
    log.error({ method, error: words }, 'a call failed');
  const common = { routes, shutdownSignal: shutdown.signal, onFault };
  const forMembers = grpcHandler({ ...common, readMaxBytes: MESSAGE_MAX_BYTES });
  const forStrangers = grpcHandler({ ...common, readMaxBytes: STRANGER_MESSAGE_MAX_BYTES });

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  bearOddities(server, log);
  const refusals = new RefusalLog(log);
  server.on('session', (session) => refusals.see(sessions.add(session), Date.now()));
  server.on('request', (request, response) => {
    const peer = sessions.peer(request.stream.session as ServerHttp2Session | undefined);
    if (!peer) return request.stream.destroy();
    (peer.identity ? forMembers : forStrangers)(request, response, peer);
  });
  try {
    server.listen({ ...options.listen });
    await once(server, 'listening');
  } catch (error) {
    server.close();
    throw error;
  }
  const looking = sessions.run(options.lookMs ?? LOOK_MS, shutdown.signal);
  server.on('error', (error) => log.error({ error }, 'the swarm port failed'));

  return {
    port: (server.address() as AddressInfo).port,
    setCredentials: (credentials) => server.setSecureContext(tlsOptions(credentials)),
    connections: () => sockets.size,
    close: async (graceMs) => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      shutdown.abort(new ConnectError('the manager is stopping', Code.Unavailable));
      sessions.closeGently();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed.finally(() => clearTimeout(cut));
      sockets.clear();
      await looking;
    },
  };
}

function tlsOptions({ certPem, keyPem, rootPem }: SwarmCredentials): SecureServerOptions {
  return {
    cert: certPem,
    key: keyPem,
    ca: rootPem,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2'],
  };
}

/** What peers do that is no fault of ours must end their connection alone. */
function bearOddities(server: Http2SecureServer, log: Logger): void {
  // After the renewal of its certificate an engine names no protocol in its TLS hello, and means HTTP/2 as ever.
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === false) socket.alpnProtocol = 'h2';
    socket.on('error', () => undefined);
  });
  // An engine that closes its connection can raise a protocol error.
  server.on('sessionError', (error) => log.debug({ error }, 'a connection ended oddly'));
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    log.debug({ error, addr: socket.remoteAddress }, 'no TLS connection came about');
    socket.destroy();
  });
}
