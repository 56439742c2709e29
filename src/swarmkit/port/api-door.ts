import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { http } from '../../base/node-http.ts';
import type { Identity, Peer } from '../identity.ts';

/** Answers one request of another manager. Must not throw. */
export type ApiHandler = (request: IncomingMessage, response: ServerResponse, caller: Identity) => void;

const HEAD_MAX_MS = 60_000;
/** Longer than the other end keeps a connection without requests: it closes first, so none is closed under a request. */
export const API_IDLE_MS = 60_000;
/** The door of a Docker API takes as much. */
const HEADER_MAX_BYTES = 128 * 1024;

/** HTTP/1.1 between managers. */
export class ApiDoor {
  handler: ApiHandler | undefined;
  readonly #isManager: (peer: Peer) => boolean;
  readonly #http: Server;
  readonly #peers = new WeakMap<object, Peer>();

  constructor(isManager: (peer: Peer) => boolean) {
    this.#isManager = isManager;
    this.#http = http.createServer(
      {
        headersTimeout: HEAD_MAX_MS,
        requestTimeout: 0,
        keepAliveTimeout: API_IDLE_MS,
        maxHeaderSize: HEADER_MAX_BYTES,
      },
      (request, response) => this.#handle(request, response),
    );
    this.#http.on('clientError', (_error, socket) => void socket.destroy());
    // It looks at its time limits from the moment it listens, and this one never does by itself.
    this.#http.emit('listening');
  }

  take(socket: TLSSocket, peer: Peer): void {
    this.#peers.set(socket, peer);
    this.#http.emit('connection', socket);
  }

  close(): void {
    this.#http.close();
    this.#http.closeIdleConnections();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const peer = this.#peers.get(request.socket);
    response.on('error', () => undefined);
    // It may have been demoted since it came.
    if (!peer?.identity || !this.#isManager(peer)) return refuse(response, 403, 'for managers alone');
    if (!this.handler) return refuse(response, 503, 'this manager is not ready');
    this.handler(request, response, peer.identity);
  }
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ message }));
}
