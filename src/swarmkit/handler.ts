import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import {
  Code,
  ConnectError,
  createConnectRouter,
  createContextValues,
  type ConnectRouter,
  type HandlerContext,
} from '@connectrpc/connect';
import { universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { UniversalServerRequest } from '@connectrpc/connect/protocol';
import { errorInterceptor, foreseenError } from './grpc-error.ts';
import { PEER, requireCaller, type Peer } from './identity.ts';
import { refuseCall, UnaryCalls } from './unary.ts';

export type Handler = (request: Http2ServerRequest, response: Http2ServerResponse, peer: Peer) => void;

export interface HandlerOptions {
  readonly routes: (router: ConnectRouter) => void;
  /** Of one message. */
  readonly readMaxBytes: number;
  /** Ends every call when the server does. */
  readonly shutdownSignal: AbortSignal;
  /** Told of failures that nobody foresaw. */
  readonly onFault: (method: string, words: string) => void;
}

/** What may be called without a certificate: by those that want one. */
const OPEN_SERVICES: ReadonlySet<string> = new Set([
  'docker.swarmkit.v1.CA',
  'docker.swarmkit.v1.NodeCA',
  'skep.managers.v1.Joining',
]);

/** Nothing is decided by what a peer calls its server. */
const ORIGIN = 'https://swarm-manager';
/** Why a call ends whose caller is gone. */
const GONE = new ConnectError('the caller is gone', Code.Canceled);

/**
 * Answers gRPC calls, whatever the peer sends. Connect's own adapter for Node throws into the server's event for an
 * authority that is none, writes to the console, and makes an exception with a stack for every call that ends; so the few
 * lines of it are here.
 */
export function grpcHandler({ routes, readMaxBytes, shutdownSignal, onFault }: HandlerOptions): Handler {
  // Before a byte of the message is read.
  const gate = (context: HandlerContext): void => {
    if (!OPEN_SERVICES.has(context.service.typeName)) requireCaller(context);
  };
  const errorOf = (method: string, error: unknown): ConnectError => foreseenError(method, error, onFault);
  const unary = new UnaryCalls({ readMaxBytes, shutdownSignal, gate, errorOf });
  const router = createConnectRouter({
    connect: false,
    grpcWeb: false,
    readMaxBytes,
    shutdownSignal,
    interceptors: [errorInterceptor(onFault)],
    requestGate: gate,
  });
  routes(unary.noting(router));
  const handlers = new Map(router.handlers.map((one) => [one.requestPath, one]));
  return (request, response, peer) => {
    if (unary.handle(request, response, peer)) return;
    const handle = handlers.get(request.url);
    if (!handle) return refuse(response, Code.Unimplemented, 'unknown service or method');
    // What a peer sends behind an answer is read by nobody.
    response.once('finish', () => request.complete || request.stream?.close());
    try {
      handle(universalRequest(request, peer))
        .then((answer) => universalResponseToNodeResponse(answer, response))
        // Who asked is gone, or sent what is no call: nobody is left to tell.
        .catch(() => response.stream?.destroy());
    } catch (error) {
      refuse(response, Code.InvalidArgument, ConnectError.from(error).rawMessage);
    }
  };
}

/** Throws for heads that make no sense. */
function universalRequest(request: Http2ServerRequest, peer: Peer): UniversalServerRequest {
  const header = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !name.startsWith(':')) header.set(name, [value].flat().join(', '));
  }
  const gone = new AbortController();
  request.once('close', () => gone.abort(GONE));
  return {
    httpVersion: request.httpVersion,
    method: request.method,
    url: ORIGIN + request.url,
    header,
    body: request,
    signal: gone.signal,
    contextValues: createContextValues().set(PEER, peer),
  };
}

function refuse(response: Http2ServerResponse, code: Code, words: string): void {
  refuseCall(response.stream, new ConnectError(words, code));
}
