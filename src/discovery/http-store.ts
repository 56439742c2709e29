import type { IncomingHttpHeaders } from 'node:http';
import { orAborted } from '../base/async.ts';
import { SwarmError } from '../base/errors.ts';
import { HttpLine } from './http-line.ts';
import { neverSent, storeTrouble } from './store-trouble.ts';
import type { StoreOptions } from './types.ts';

/** For one endpoint to answer whole. */
const DEADLINE_MS = 5_000;
/** Who gives a request up after so long without an answer means the endpoint, not the request. */
const SUSPICIOUS_MS = 500;

export interface StoreRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With its query. */
  path: string;
  body?: string;
  headers?: Record<string, string>;
  signal: AbortSignal;
  /** For each endpoint; 5 seconds if nothing is said. */
  deadlineMs?: number;
  /** Not to be sent twice: another endpoint is tried only where this one certainly did not get it. */
  once?: boolean;
}

export interface StoreAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Who answered. */
  endpoint: string;
}

/** An answer that goes on until it is read to its end or the request's signal fires. */
export interface StoreStream {
  status: number;
  headers: IncomingHttpHeaders;
  /** Rejects with `unavailable` where it breaks off. */
  body: AsyncIterable<Buffer>;
  endpoint: string;
  /** Ends it unread. */
  drop: () => void;
}

/**
 * The HTTP side of a store with one or several endpoints: the one that answered last is asked first, the others in
 * turn after it. Everything that fails is `unavailable` with one line that says at which endpoint and why; a signal
 * that fires rejects with its reason.
 */
export class StoreHttp {
  readonly #name: string;
  readonly #lines: readonly HttpLine[];
  /** Which of the endpoints is asked first. */
  #first = 0;
  #closed = false;

  /** `name` begins every message: "etcd", "Consul". Throws `invalid` for TLS files that cannot be used. */
  constructor(name: string, endpoints: readonly string[], tls?: StoreOptions['tls']) {
    this.#name = name;
    this.#lines = endpoints.map((endpoint) => new HttpLine(endpoint, tls));
  }

  /** Who is asked first now, for messages. */
  get endpoint(): string {
    return this.#lines[this.#first]?.endpoint ?? '';
  }

  /** Whether it speaks TLS. */
  get secure(): boolean {
    return this.#lines[0]?.tls !== undefined;
  }

  /** The answer of the first endpoint that gives one below 500, else the last of the others'. */
  async request(request: StoreRequest): Promise<StoreAnswer> {
    return this.#inTurn(request, async (line, signal) => {
      const answer = await line.whole({ ...request, signal });
      return { ...answer, endpoint: line.endpoint };
    });
  }

  /** Likewise, with the body as it comes: the deadline is for the beginning of the answer. */
  async stream(request: StoreRequest): Promise<StoreStream> {
    return this.#inTurn(request, async (line, signal, begun) => {
      const message = await line.begin({ ...request, signal });
      begun();
      const { statusCode = 0, headers } = message;
      const body = this.#worded(line, message, request.signal);
      const drop = (): void => void message.destroy();
      return { status: statusCode, headers, body, endpoint: line.endpoint, drop };
    });
  }

  /** Ends every connection at once, and makes none any more. */
  close(): void {
    this.#closed = true;
    for (const line of this.#lines) line.close();
  }

  async #inTurn<T extends { status: number; drop?: () => void }>(
    request: StoreRequest,
    ask: (line: HttpLine, signal: AbortSignal, begun: () => void) => Promise<T>,
  ): Promise<T> {
    const { signal, deadlineMs = DEADLINE_MS, once = false } = request;
    if (this.#closed) throw new SwarmError('unavailable', 'the discovery is closed');
    const troubles = new Map<number, string>();
    let answer: T | undefined;
    const start = this.#first;
    for (let step = 0; step < this.#lines.length; step++) {
      const index = (start + step) % this.#lines.length;
      const line = this.#lines[index];
      if (!line) continue;
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(), deadlineMs);
      const begin = performance.now();
      try {
        signal.throwIfAborted();
        const both = AbortSignal.any([signal, late.signal]);
        const worse = answer;
        answer = await ask(line, both, () => clearTimeout(timer));
        worse?.drop?.();
        if (answer.status < 500 || once) {
          this.#first = index;
          return answer;
        }
      } catch (error) {
        // The next request begins elsewhere: its caller may not have the time to wait for this endpoint again.
        if (!signal.aborted || performance.now() - begin > SUSPICIOUS_MS)
          this.#first = (index + 1) % this.#lines.length;
        if (signal.aborted) throw signal.reason;
        const trouble = this.#trouble(line, error, late.signal.aborted ? deadlineMs : undefined);
        troubles.set(index, await orAborted(trouble, signal));
        if (once && !neverSent(error)) break;
      } finally {
        clearTimeout(timer);
      }
    }
    if (answer) return answer;
    // In the order they were given, wherever we began: the same trouble has the same words.
    const told = [...troubles].sort(([one], [other]) => one - other).map(([, trouble]) => trouble);
    throw new SwarmError('unavailable', told.join('; '));
  }

  async *#worded(line: HttpLine, body: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
    try {
      yield* body;
    } catch (error) {
      // Who gives up needs no words, and no look at the server for them.
      signal.throwIfAborted();
      const trouble = await orAborted(this.#trouble(line, error, undefined), signal);
      throw new SwarmError('unavailable', trouble, { cause: error });
    }
  }

  async #trouble(line: HttpLine, error: unknown, deadlineMs: number | undefined): Promise<string> {
    const where = `${this.#name} at ${line.endpoint}`;
    if (deadlineMs !== undefined) return `${where} did not answer within ${deadlineMs / 1000}s`;
    return `${where} ${await storeTrouble(error, line.endpoint, line.tls)}`;
  }
}
