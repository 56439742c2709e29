import { createServer, type Http2Server, type ServerHttp2Session, type ServerOptions } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type Server, type TlsOptions, type TLSSocket } from 'node:tls';
import type { ConnectRouter } from '@connectrpc/connect';
import type { Logger } from '../../base/log.ts';
import { peerOf, plainAddr, type Peer, type SwarmCredentials } from '../identity.ts';
import { RefusalLog } from '../refusal-log.ts';
import { Sessions } from '../sessions.ts';
import { Answering, refuseWithoutLeader } from './answering.ts';
import { ApiDoor, type ApiHandler } from './api-door.ts';
import { organizationOf } from './organization.ts';
import { API_PROTOCOL, RELAY_PROTOCOL } from './manager-socket.ts';
import { RelayedCallers } from './relayed.ts';

export interface SwarmDoorOptions {
  readonly credentials: SwarmCredentials;
  readonly isManager: (nodeId: string) => boolean;
  readonly log: Logger;
  readonly lookMs?: number;
  readonly handshakeMs: number;
}

const LOOK_MS = 20_000;
const LIMITS: ServerOptions = {
  // One call of an agent for each log that is being read, besides its five.
  settings: { maxConcurrentStreams: 500, maxHeaderListSize: 16 * 1024 },
  maxHeaderListPairs: 64,
  maxSessionMemory: 64,
};

/**
 * Takes connections that are answered here: does their TLS, knows who they are, and gives them to what they speak. A
 * joiner has no certificate yet, so one is asked for without insisting; which calls need one is decided call by call.
 */
export class SwarmDoor {
  readonly #options: SwarmDoorOptions;
  readonly #tls: Server;
  readonly #http2: Http2Server;
  readonly #api: ApiDoor;
  readonly #sessions = new Sessions();
  readonly #relayed = new RelayedCallers();
  readonly #refusals: RefusalLog;
  readonly #stop = new AbortController();
  readonly #looking: Promise<void>;
  #organization: string | undefined;
  #answering: Answering | undefined;

  constructor(options: SwarmDoorOptions) {
    const { credentials, log, lookMs = LOOK_MS, handshakeMs: handshakeTimeout } = options;
    this.#options = options;
    this.#organization = organizationOf(credentials);
    this.#refusals = new RefusalLog(log);
    this.#api = new ApiDoor((peer) => this.#isManager(peer));
    this.#tls = createTlsServer({ handshakeTimeout, ...tlsOptions(credentials) }, (socket) =>
      this.#welcome(socket),
    );
    this.#tls.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      log.debug({ error, addr: this.#addrOf(socket) }, 'no TLS connection came about');
      socket.destroy();
    });
    this.#http2 = this.#createHttp2(log);
    this.#looking = this.#sessions.run(lookMs, this.#stop.signal);
  }

  get isServing(): boolean {
    return this.#answering !== undefined;
  }

  take(socket: Duplex): void {
    this.#tls.emit('connection', socket);
  }

  setCredentials(credentials: SwarmCredentials): void {
    this.#organization = organizationOf(credentials);
    this.#tls.setSecureContext(tlsOptions(credentials));
  }

  onApi(handler: ApiHandler): void {
    this.#api.handler = handler;
  }

  serve(routes: (router: ConnectRouter) => void): (graceMs: number) => Promise<void> {
    const answering = new Answering(routes, this.#options.log);
    this.#answering?.end();
    this.#answering = answering;
    return async (graceMs) => {
      answering.end();
      if (this.#answering !== answering) return;
      this.#answering = undefined;
      await this.endSessions(graceMs);
    };
  }

  /** Ends the connections of agents that are open now. */
  endSessions(graceMs: number): Promise<void> {
    return this.#sessions.end(graceMs);
  }

  /** Ends all calls. Whoever gives the connections closes them. */
  close(): void {
    this.#answering?.end();
    this.#answering = undefined;
    this.#stop.abort();
    this.#api.close();
  }

  async closed(): Promise<void> {
    await this.#looking;
  }

  #createHttp2(log: Logger): Http2Server {
    const http2 = createServer(LIMITS);
    // An engine that closes its connection can raise a protocol error.
    http2.on('sessionError', (error) => log.debug({ error }, 'a connection ended oddly'));
    http2.on('session', (session) => {
      const peer = this.#sessions.add(session, this.#addrOf(session.socket));
      this.#refusals.see(peer, Date.now());
    });
    http2.on('request', (request, response) => {
      const peer = this.#sessions.peer(request.stream.session as ServerHttp2Session | undefined);
      if (!peer) return request.stream.destroy();
      if (this.#answering) this.#answering.handle(request, response, peer);
      else refuseWithoutLeader(request, response);
    });
    return http2;
  }

  /** What peers do that is no fault of ours must end their connection alone. */
  #welcome(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    const { alpnProtocol } = socket;
    if (alpnProtocol === RELAY_PROTOCOL || alpnProtocol === API_PROTOCOL) return this.#welcomeManager(socket);
    // After the renewal of its certificate an engine names no protocol in its TLS hello, and means HTTP/2 as ever.
    if (alpnProtocol === false) socket.alpnProtocol = 'h2';
    this.#http2.emit('connection', socket);
  }

  #welcomeManager(socket: TLSSocket): void {
    const peer = peerOf(socket, this.#addrOf(socket));
    this.#refusals.see(peer, Date.now());
    // Managers come themselves.
    if (!this.#isManager(peer) || this.#relayed.addr !== undefined) {
      this.#options.log.debug({ addr: peer.addr }, 'a connection for managers alone was refused');
      return void socket.destroy();
    }
    // One that does not lead says so to the caller, and relays no further.
    if (socket.alpnProtocol === RELAY_PROTOCOL) this.#relayed.receive(socket, (inner) => this.take(inner));
    else this.#api.take(socket, peer);
  }

  #addrOf(socket: Socket): string {
    return this.#relayed.addr ?? plainAddr(socket.remoteAddress);
  }

  /** By a certificate of this swarm that is valid now, and by what is stored now. */
  #isManager({ identity, expiresAtMs }: Peer): boolean {
    return (
      identity?.role === 'manager' &&
      identity.organization === this.#organization &&
      expiresAtMs > Date.now() &&
      this.#options.isManager(identity.nodeId)
    );
  }
}

function tlsOptions({ certPem, keyPem, rootPem }: SwarmCredentials): TlsOptions {
  return {
    cert: certPem,
    key: keyPem,
    ca: rootPem,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2', RELAY_PROTOCOL, API_PROTOCOL],
  };
}
