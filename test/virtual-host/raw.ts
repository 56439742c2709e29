import { connect, type Socket } from 'node:net';
import { request } from 'node:http';
import { until } from '../hosts/index.ts';

/** An answer that was read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly text: string;
  /** The words of an error, in JSON or plain. */
  readonly message: string;
  json<T>(): T;
}

export interface CallOptions {
  readonly body?: string | Buffer | object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** One HTTP request on a connection of its own; the path is sent as it is, which `fetch` would not do. */
export function call(base: string, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
  const { hostname, port } = new URL(base);
  const { body } = options;
  const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
  const bytes = isRaw ? body : JSON.stringify(body);
  const headers = {
    ...(bytes === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(bytes)) }),
    ...options.headers,
  };
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port,
        method,
        path,
        headers,
        agent: false,
        signal: options.signal ?? AbortSignal.timeout(30_000),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve(answerOf(response.statusCode ?? 0, response.headers, chunks)));
      },
    );
    sent.on('error', reject);
    sent.end(bytes);
  });
}

function answerOf(status: number, headers: Answer['headers'], chunks: readonly Buffer[]): Answer {
  const body = Buffer.concat(chunks);
  const text = body.toString('utf8');
  return {
    status,
    headers,
    body,
    text,
    get message() {
      try {
        return String((JSON.parse(text) as { message?: unknown }).message);
      } catch {
        return text.trim();
      }
    },
    json: <T>() => JSON.parse(text) as T,
  };
}

/** A connection of which the test sends every byte, and sees every byte. */
export class RawConnection implements Disposable {
  readonly socket: Socket;
  #seen: Buffer = Buffer.alloc(0);
  #sent = '';
  ended = false;
  closed = false;

  constructor(base: string) {
    const { hostname, port } = new URL(base);
    this.socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => (this.#seen = Buffer.concat([this.#seen, chunk])));
    this.socket.on('end', () => (this.ended = true));
    this.socket.on('close', () => (this.closed = true));
    this.socket.on('error', () => undefined);
  }

  /** Everything received so far. */
  get text(): string {
    return this.#seen.toString('latin1');
  }

  send(...parts: string[]): this {
    this.#sent ||= parts[0]?.split('\r\n')[0]?.slice(0, 100) ?? '';
    for (const part of parts) this.socket.write(part, 'latin1');
    return this;
  }

  /** Waits until what was received matches. */
  async receives(expected: RegExp): Promise<string> {
    return until(`bytes like ${String(expected)} after ${this.#sent}`, 20_000, () =>
      expected.test(this.text) ? this.text : undefined,
    );
  }

  /** Waits until the peer has ended its half, or the connection is gone; gives everything received. */
  async over(): Promise<string> {
    return until('the end of a connection', 30_000, () =>
      this.ended || this.closed ? this.text : undefined,
    );
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** A request's bytes. */
export function head(method: string, path: string, headers: readonly string[] = [], body = ''): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: docker', ...headers];
  if (body !== '') lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
