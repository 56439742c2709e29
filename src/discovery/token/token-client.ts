import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Agent } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import { SwarmError } from '../../base/errors.ts';
import { http, https } from '../../base/node-http.ts';
import { checkStoreTls } from '../store-tls.ts';
import type { StoreOptions } from '../types.ts';
import { isUntrusted, tokenTrouble } from './token-trouble.ts';

/** What a token service answered with status 200. */
export interface TokenAnswer {
  text: string;
  /** Names the data of a service of ours; another one than before means that it was lost. */
  dataId: string | undefined;
}

export interface TokenCall {
  method: 'GET' | 'POST';
  /** From `/clusters` on. */
  path: string;
  body?: string;
  signal: AbortSignal;
}

/** A whole answer may take this long; more than `swarm list` waits, which has words of its own for it. */
const ANSWER_MS = 12_000;
/** 65,536 addresses of the longest names. */
const ANSWER_MAX_BYTES = 32 * 1024 * 1024;

/** The HTTP interface of a token service. Keeps no connection: it is asked once in a heartbeat. */
export class TokenClient {
  readonly #url: string;
  readonly #tls: StoreOptions['tls'];
  /** The CAs of the system, where those that Node brings did not do. */
  #systemCas: string[] | undefined;
  /** What a connection over TLS needs, made once: each would hold memory until the next collection. */
  #agent: Agent | undefined;

  /** Throws `invalid` for TLS files that cannot be used, and where they are given for a service that speaks plain HTTP. */
  constructor(url: string, tls: StoreOptions['tls']) {
    if (tls && !url.startsWith('https:'))
      throw new SwarmError(
        'invalid',
        `kv.cacertfile, kv.certfile and kv.keyfile are for TLS, but the token service ${url} speaks plain HTTP; say https:// or leave them out`,
      );
    if (tls) checkStoreTls(tls);
    this.#url = url;
    this.#tls = tls;
  }

  /** Rejects with `unavailable`, in words, for everything but an answer with status 200 or 201. */
  async call(call: TokenCall): Promise<TokenAnswer> {
    try {
      return await this.#once(call);
    } catch (error) {
      call.signal.throwIfAborted();
      if (!isUntrusted(error) || this.#tls || this.#systemCas) throw tokenTrouble(this.#url, error);
    }
    this.#systemCas = process.getBuiltinModule('node:tls').getCACertificates('system');
    this.#agent = undefined;
    return await this.#once(call).catch((error: unknown) => {
      call.signal.throwIfAborted();
      throw tokenTrouble(this.#url, error);
    });
  }

  #once({ method, path, body, signal }: TokenCall): Promise<TokenAnswer> {
    return new Promise((resolve, reject) => {
      const deadline = new AbortController();
      const stop = (): void => deadline.abort(signal.reason);
      const timer = setTimeout(() => deadline.abort(new SwarmError('timeout', 'no answer')), ANSWER_MS);
      const settle = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
      };
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop, { once: true });
      const fail = (error: unknown): void => {
        settle();
        reject(deadline.signal.aborted ? (deadline.signal.reason as Error) : (error as Error));
      };
      const request = this.#request(method, path, deadline.signal);
      request.on('error', fail);
      request.on('response', (response) => {
        readAnswer(response).then((answer) => {
          settle();
          resolve(answer);
        }, fail);
      });
      request.end(body);
    });
  }

  #request(method: string, path: string, signal: AbortSignal): ClientRequest {
    const url = `${this.#url}${path}`;
    const headers = { 'content-type': 'application/json' };
    const options = { method, signal, headers };
    if (url.startsWith('http:')) return http.request(url, { ...options, agent: false });
    this.#agent ??= agentFor(this.#tls ?? (this.#systemCas ? { ca: this.#systemCas } : {}));
    return https().request(url, { ...options, agent: this.#agent });
  }
}

function agentFor(trust: SecureContextOptions): Agent {
  const secureContext = process.getBuiltinModule('node:tls').createSecureContext(trust);
  return new (https().Agent)({ secureContext, keepAlive: false, maxCachedSessions: 0 });
}

/** Throws `unavailable` with the service's words for another status than 200 and 201. */
async function readAnswer(response: IncomingMessage): Promise<TokenAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ANSWER_MAX_BYTES) throw new SwarmError('unavailable', 'its answer has no end');
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString('utf8');
  const status = response.statusCode ?? 0;
  if (status !== 200 && status !== 201) {
    const words = text.trim().split('\n', 1)[0] ?? '';
    const shown = words.startsWith('<') ? '' : words.slice(0, 200);
    throw new SwarmError('unavailable', `status ${status}${shown === '' ? '' : `: ${shown}`}`);
  }
  const id = response.headers['swarm-discovery-data'];
  return { text, dataId: typeof id === 'string' ? id : undefined };
}
