import { connect as netConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { Duplex } from 'node:stream';
import { Pool, type Dispatcher } from 'undici';
import { SwarmError } from '../base/errors.ts';
import type { EngineAddress } from './address.ts';
import { connectorTo, tlsOptions, type EngineTls } from './connector.ts';
import { tlsPortWords, wireWords } from './wire-words.ts';

/** An answer that was read whole. */
export interface EngineAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

export interface CallOptions {
  method?: string;
  headers?: Record<string, string>;
  /** Sent as JSON. */
  json?: unknown;
  signal?: AbortSignal | undefined;
  /** How long the whole answer may take. */
  timeoutMs?: number;
  /** Answers longer than this are refused. */
  maxBytes?: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const STREAM_PROBE_MS = 30_000;
const ANSWER_TIMEOUT_MS = 30_000;
const ANSWER_MAX_BYTES = 256 * 1024 * 1024;

/**
 * One Docker Engine over HTTP: kept connections for requests, and raw ones for hijacked streams.
 * Knows nothing of API versions; paths come complete.
 */
export class EngineClient {
  readonly address: EngineAddress;
  readonly #tls: EngineTls | undefined;
  readonly #pool: Pool;

  constructor(address: EngineAddress, tls?: EngineTls) {
    this.address = address;
    this.#tls = address.kind === 'tcp' ? tls : undefined;
    this.#pool = new Pool(originOf(address, this.#tls !== undefined), {
      connections: null,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      // The engine keeps idle connections; dropping ours first means none is found dead when it is needed.
      keepAliveTimeout: 20_000,
      connect: connectorTo(address, this.#tls, CONNECT_TIMEOUT_MS),
    });
  }

  /** The connection pool, for whoever streams. */
  get dispatcher(): Dispatcher {
    return this.#pool;
  }

  /** Sends a request and reads the whole answer, whatever its status. Throws `unavailable` or `timeout`. */
  call(path: string, options: CallOptions = {}): Promise<EngineAnswer> {
    const { signal, maxBytes = ANSWER_MAX_BYTES } = options;
    const headers: Record<string, string> = { ...options.headers };
    let body: string | null = null;
    if (options.json !== undefined) {
      headers['content-type'] = 'application/json';
      body = JSON.stringify(options.json);
    }
    // By callbacks: promises and streams around an answer of a few kilobytes would double what it costs.
    return new Promise((resolve, reject) => {
      let control: Dispatcher.DispatchController | undefined;
      let stopped: Error | undefined;
      let late = false;
      const answer = { status: 0, headers: {} as EngineAnswer['headers'] };
      const chunks: Buffer[] = [];
      let size = 0;
      const stop = (reason: Error): void => {
        stopped = reason;
        if (control) control.abort(reason);
        else {
          // Still connecting: the caller need not wait for that to fail.
          settle();
          reject(this.failure(reason, late));
        }
      };
      const onAbort = (): void => stop(new Error('aborted'));
      const timer = setTimeout(() => {
        late = true;
        stop(new Error('late'));
      }, options.timeoutMs ?? ANSWER_TIMEOUT_MS);
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      if (signal?.aborted) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#pool.dispatch(
        { path, method: options.method ?? 'GET', headers, body },
        {
          onRequestStart(controller) {
            control = controller;
            if (stopped) controller.abort(stopped);
          },
          onResponseStart(_controller, status, answerHeaders) {
            answer.status = status;
            answer.headers = answerHeaders;
          },
          onResponseData(controller, chunk) {
            size += chunk.length;
            chunks.push(chunk);
            if (size > maxBytes) {
              controller.abort(new SwarmError('too-large', `an engine's answer exceeds ${maxBytes} bytes`));
            }
          },
          onResponseEnd() {
            settle();
            const only = chunks.length === 1 ? chunks[0] : undefined;
            resolve({ ...answer, body: only ?? Buffer.concat(chunks) });
          },
          onResponseError: (_controller, error) => {
            settle();
            reject(this.failure(error, late));
          },
        },
      );
    });
  }

  /** `call`, for a JSON answer with a 2xx status; anything else throws with the engine's own words. */
  async json(path: string, options: CallOptions = {}): Promise<unknown> {
    const answer = await this.call(path, options);
    const secured = tlsPortWords(answer.status, answer.body);
    if (secured !== undefined) throw new SwarmError('unavailable', `engine ${this.address.text}: ${secured}`);
    if (answer.status < 200 || answer.status > 299) throw engineRefusal(answer);
    try {
      return JSON.parse(answer.body.toString('utf8')) as unknown;
    } catch (cause) {
      throw new SwarmError('unavailable', `${this.address.text} did not answer in JSON to ${path}`, {
        cause,
      });
    }
  }

  /** Opens a connection of its own, for streams that leave HTTP. The caller closes it. */
  connect(signal?: AbortSignal): Promise<Duplex> {
    const { address } = this;
    const socket = ((): ReturnType<typeof netConnect> => {
      if (address.kind === 'unix') return netConnect({ path: address.path, allowHalfOpen: true });
      const target = { host: address.host, port: address.port, allowHalfOpen: true };
      return this.#tls ? tlsConnect({ ...target, ...tlsOptions(this.#tls) }) : netConnect(target);
    })();
    socket.setNoDelay(true);
    // A stream may be silent for days; an engine whose host lost its power says no word.
    socket.setKeepAlive(true, STREAM_PROBE_MS);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => socket.destroy(new Error('connect timed out')), CONNECT_TIMEOUT_MS);
      const onAbort = (): void => void socket.destroy(new Error('aborted'));
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      socket.once('error', (error) => {
        settle();
        reject(this.failure(error, false));
      });
      socket.once(this.#tls ? 'secureConnect' : 'connect', () => {
        settle();
        resolve(socket);
      });
    });
  }

  /** Gives a failure of the wire its code and names the engine. */
  failure(error: unknown, late: boolean): SwarmError {
    if (error instanceof SwarmError) return error;
    if (late)
      return new SwarmError('timeout', `engine ${this.address.text} did not answer in time`, {
        cause: error,
      });
    return new SwarmError('unavailable', `engine ${this.address.text}: ${wireWords(error, this.address)}`, {
      cause: error,
    });
  }

  /** Closes every connection at once. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** Whether the engine may have got the request that ended in this error: false only where TCP did not come about, or no address was found. */
export function mayHaveArrived(error: unknown): boolean {
  if (error instanceof SwarmError && error.cause !== undefined) return mayHaveArrived(error.cause);
  if (error instanceof AggregateError) return error.errors.some(mayHaveArrived);
  if (!(error instanceof Error)) return true;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall !== 'connect' && syscall !== 'getaddrinfo' && code !== 'UND_ERR_CONNECT_TIMEOUT';
}

/** Turns an engine's error answer into a SwarmError that carries its words. */
export function engineRefusal(answer: EngineAnswer): SwarmError {
  const code = ((): SwarmError['code'] => {
    switch (answer.status) {
      case 304:
        return 'not-modified';
      case 400:
        return 'invalid';
      case 401:
        return 'unauthorized';
      case 403:
        return 'forbidden';
      case 404:
        return 'not-found';
      case 409:
        return 'conflict';
      case 501:
        return 'unsupported';
      default:
        return 'internal';
    }
  })();
  return new SwarmError(code, refusalMessage(answer));
}

/** The words of an engine's error answer, JSON or text. */
export function refusalMessage(answer: EngineAnswer): string {
  const text = answer.body.toString('utf8').trim();
  try {
    const parsed = JSON.parse(text) as { message?: unknown };
    if (typeof parsed.message === 'string') return parsed.message;
  } catch {
    // Old engines answer in plain text.
  }
  return text === '' ? `engine answered with status ${answer.status}` : text;
}

function originOf(address: EngineAddress, secure: boolean): string {
  if (address.kind === 'unix') return 'http://localhost';
  return `${secure ? 'https' : 'http'}://${address.text}`;
}
