import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import type { Logger } from '../../base/log.ts';
import { grpcHandler, type Handler } from '../handler.ts';
import type { Peer } from '../identity.ts';
import { refuseCall } from '../unary.ts';

/** gRPC's own default, which SwarmKit has too. */
const MESSAGE_MAX_BYTES = 4 * 1024 * 1024;
/** A request for a certificate has under 1 KB. */
const STRANGER_MESSAGE_MAX_BYTES = 32 * 1024;

/** Answers calls by services, until it is ended. */
export class Answering {
  readonly #ended = new AbortController();
  readonly #forMembers: Handler;
  readonly #forStrangers: Handler;

  constructor(routes: (router: ConnectRouter) => void, log: Logger) {
    const onFault = (method: string, words: string): void =>
      log.error({ method, error: words }, 'a call failed');
    const common = { routes, shutdownSignal: this.#ended.signal, onFault };
    this.#forMembers = grpcHandler({ ...common, readMaxBytes: MESSAGE_MAX_BYTES });
    this.#forStrangers = grpcHandler({ ...common, readMaxBytes: STRANGER_MESSAGE_MAX_BYTES });
  }

  handle(request: Http2ServerRequest, response: Http2ServerResponse, peer: Peer): void {
    (peer.identity ? this.#forMembers : this.#forStrangers)(request, response, peer);
  }

  /** Ends every call as unavailable. */
  end(): void {
    this.#ended.abort(new ConnectError('the manager is stopping', Code.Unavailable));
  }
}

/** Docker's words. */
const NO_LEADER = new ConnectError(
  "The swarm does not have a leader. It's possible that too few managers are online.",
  Code.Unavailable,
);

/** Whoever asks comes back over a new connection: that may be answered. */
export function refuseWithoutLeader(request: Http2ServerRequest, { stream }: Http2ServerResponse): void {
  const { session } = request.stream;
  stream.once('close', () => session?.close());
  refuseCall(stream, NO_LEADER);
}
