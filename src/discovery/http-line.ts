import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage, RequestOptions } from 'node:http';
import { http, https } from '../base/node-http.ts';
import { hostOf, portOf } from '../base/host-port.ts';
import { checkStoreTls } from './store-tls.ts';
import { SpeaksTlsError } from './store-trouble.ts';
import type { StoreOptions } from './types.ts';

/** 65,536 registrations of etcd in base64 are about half of it. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Each watch keeps one; the rest is for requests. */
const MAX_CONNECTIONS = 256;

export interface LineRequest {
  method: string;
  path: string;
  body?: string;
  headers?: Record<string, string>;
  signal: AbortSignal;
  once?: boolean;
}

/**
 * Kept connections to one endpoint. Node's own client, not a library's: an agent stands beside every engine, and
 * counts its megabytes.
 */
export class HttpLine {
  readonly endpoint: string;
  readonly tls: StoreOptions['tls'];
  readonly #agent: Agent;
  readonly #start: (options: RequestOptions) => ClientRequest;

  /** `host:port`. Throws `invalid` for TLS files that cannot be used. */
  constructor(endpoint: string, tls: StoreOptions['tls']) {
    this.endpoint = endpoint;
    this.tls = tls;
    const keep = { keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: 8, timeout: 0 };
    if (tls) {
      checkStoreTls(tls);
      const agent = new (https().Agent)({ ...keep, ...tls });
      this.#agent = agent;
      this.#start = (options) => https().request({ ...options, agent });
    } else {
      const agent = new http.Agent(keep);
      this.#agent = agent;
      this.#start = (options) => http.request({ ...options, agent });
    }
  }

  /** Rejects with what Node says, an abort included. */
  async whole(request: LineRequest): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
    const message = await this.begin(request);
    const text = await readBounded(message);
    const status = message.statusCode ?? 0;
    // What a Go server says to a plain client at its TLS port.
    if (status === 400 && text.includes('HTTP request to an HTTPS server')) throw new SpeaksTlsError();
    return { status, headers: message.headers, text };
  }

  /** The answer up to its body, which the caller reads. */
  async begin(request: LineRequest): Promise<IncomingMessage> {
    for (let again = false; ; again = true) {
      const sent = this.#send(request);
      try {
        return await sent.answer;
      } catch (error) {
        // The server closed a kept connection just when it was taken up again, without looking at what came.
        const stale = sent.request.reusedSocket && codeOf(error) === 'ECONNRESET';
        if (again || !stale || request.once || request.signal.aborted) throw error;
      }
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(request: LineRequest): { request: ClientRequest; answer: Promise<IncomingMessage> } {
    const { method, path, body = '', headers, signal } = request;
    const length = body === '' ? {} : { 'content-length': `${Buffer.byteLength(body)}` };
    const started = this.#start({
      host: hostOf(this.endpoint),
      port: portOf(this.endpoint),
      method,
      path,
      headers: { ...headers, ...length },
      signal,
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      started.on('response', resolve).on('error', reject);
    });
    started.end(body);
    return { request: started, answer };
  }
}

async function readBounded(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`answers with more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
