import type { Agent, ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { pipeline, type Duplex, Readable } from 'node:stream';
import { messageOf, SwarmError } from '../../base/errors.ts';
import { http } from '../../base/node-http.ts';
import type { SwarmCredentials } from '../identity.ts';
import { LeaderPulse } from './leader-pulse.ts';
import { API_PROTOCOL, openManagerSocket, type ManagerPlace } from './manager-socket.ts';

/** A request that another manager is to answer. */
export interface LeaderRequest {
  readonly method: string;
  /** Complete: version prefix, path and query. */
  readonly path: string;
  /** Those of one connection alone left out. */
  readonly headers: OutgoingHttpHeaders;
  readonly body: Readable | Buffer | string | null;
  /** Gives up, and cuts the answer. */
  readonly signal: AbortSignal;
}

/** A request that got no answer. */
export class LeaderRequestError extends SwarmError {
  /** False where the other end has certainly done nothing. */
  readonly isSent: boolean;

  constructor(message: string, isSent: boolean, cause: unknown) {
    super('unavailable', message, { cause });
    this.isSent = isSent;
  }
}

/** One manager's HTTP, for another manager. */
export interface LeaderApi {
  readonly place: ManagerPlace;
  /**
   * Resolves with the head of the answer, whatever its status and maybe before the body is all sent; its body is to be
   * read or destroyed. Rejects with a `LeaderRequestError`.
   */
  request(request: LeaderRequest): Promise<IncomingMessage>;
  /** Cuts all that is under way. */
  close(): void;
}

export interface LeaderApiOptions {
  readonly credentials: () => SwarmCredentials;
  /** How long a connection may take; 3 s if nothing is said. */
  readonly connectMs?: number;
  /** How often it is looked whether something came from the leader; 5 s if nothing is said. */
  readonly lookMs?: number;
}

const CONNECT_MS = 3_000;
const LOOK_MS = 5_000;
/** The other end keeps them longer: it never closes one just when a request goes out. */
const IDLE_MS = 20_000;
const IDLE_CONNECTIONS_MAX = 8;
/** Logs that are followed have one each. */
const REQUESTS_MAX = 1_000;

/** Sends the requests of clients to the manager that leads. */
export function connectLeaderApi(place: ManagerPlace, options: LeaderApiOptions): LeaderApi {
  return new Connected(place, options);
}

class Connected implements LeaderApi {
  readonly place: ManagerPlace;
  readonly #options: LeaderApiOptions;
  readonly #agent: Agent;
  readonly #pulse: LeaderPulse;
  readonly #closed = new AbortController();
  /** Those without an answer yet. */
  readonly #waiting = new Set<ClientRequest>();
  #open = 0;

  constructor(place: ManagerPlace, options: LeaderApiOptions) {
    this.place = place;
    this.#options = options;
    this.#agent = new http.Agent({ keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS_MAX, timeout: IDLE_MS });
    this.#agent.createConnection = (_options, done) => {
      this.#connect().then(
        (socket) => done?.(null, socket),
        (error: Error) => done?.(error, undefined as never),
      );
      return undefined;
    };
    this.#pulse = new LeaderPulse({
      lookMs: options.lookMs ?? LOOK_MS,
      tryAnew: () => this.#try(),
      onLost: (error) => this.#lost(error),
    });
  }

  request(wish: LeaderRequest): Promise<IncomingMessage> {
    const { method, path, body, signal } = wish;
    if (this.#closed.signal.aborted || this.#open >= REQUESTS_MAX) {
      if (body instanceof Readable) body.destroy();
      const why = this.#closed.signal.aborted
        ? 'the connection is closed'
        : 'too many requests are under way';
      return Promise.reject(this.#failure(new Error(why), false));
    }
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = { ...wish.headers, ...framing(wish) };
    const request = http.request({ agent: this.#agent, method, path, headers, signal });
    let isSent = false;
    this.#open++;
    request.once('socket', () => {
      isSent = true;
      this.#waiting.add(request);
      this.#pulse.asked();
    });
    request.once('response', (answer) => {
      this.#waiting.delete(request);
      this.#pulse.heard();
      answer.on('error', () => undefined);
      resolve(answer);
    });
    request.on('error', (error) => reject(this.#failure(error, isSent)));
    request.once('close', () => {
      this.#open--;
      this.#waiting.delete(request);
      reject(this.#failure(new Error('it closed the connection'), isSent));
    });
    if (body instanceof Readable) pipeline(body, request, () => undefined);
    else request.end(body ?? undefined);
    return promise;
  }

  close(): void {
    this.#closed.abort(new Error('the connection is closed'));
    this.#pulse.stop();
    this.#agent.destroy();
  }

  #connect(): Promise<Duplex> {
    const { credentials, connectMs = CONNECT_MS } = this.#options;
    return openManagerSocket(this.place, {
      credentials: credentials(),
      protocol: API_PROTOCOL,
      timeoutMs: connectMs,
      signal: this.#closed.signal,
    });
  }

  async #try(): Promise<void> {
    (await this.#connect()).destroy();
    // It is slow to answer; that may change.
    if (this.#waiting.size > 0) this.#pulse.asked();
  }

  /** Answers that have begun may be complete for all that is known; probes of TCP find out. */
  #lost(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(messageOf(error));
    for (const request of this.#waiting) request.destroy(reason);
  }

  #failure(cause: unknown, isSent: boolean): LeaderRequestError {
    const words = messageOf(cause);
    const { addr } = this.place;
    return new LeaderRequestError(words.includes(addr) ? words : `manager ${addr}: ${words}`, isSent, cause);
  }
}

/** Node sends a body without a length unframed after the heads of some methods. */
function framing({ headers, body }: LeaderRequest): OutgoingHttpHeaders {
  if (body === null) return {};
  if (!(body instanceof Readable)) return { 'content-length': Buffer.byteLength(body) };
  return headers['content-length'] === undefined ? { 'transfer-encoding': 'chunked' } : {};
}
