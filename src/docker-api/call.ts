import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { SwarmError, messageOf, type ErrorCode } from '../base/errors.ts';
import type { ApiMinor } from './version.ts';

const HTTP_STATUS: Record<ErrorCode, number> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  'not-modified': 304,
  conflict: 409,
  unavailable: 500,
  'no-manager': 503,
  unsupported: 501,
  'too-large': 413,
  timeout: 500,
  internal: 500,
};

/** How long a client may go on sending what nobody needs any more. */
const UPLOAD_LINGER_MS = 10_000;

/** The connection of a request that leaves HTTP, and the bytes already read behind its head. */
export interface Hijack {
  socket: Duplex;
  head: Buffer;
}

/** One request of a Docker client: where it goes, and how it is answered. */
export class ApiCall {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Decoded, without the version prefix. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly search: string;
  /** The version the client speaks; that of the manager when it names none. */
  readonly minor: ApiMinor;
  /** What the route's pattern took out of the path. */
  params: Readonly<Record<string, string>> = {};
  /** Set when the client asked to leave HTTP; the answer then is bytes on that socket. */
  readonly hijack: Hijack | undefined;
  #query: URLSearchParams | undefined;
  #gone: AbortController | undefined;

  constructor(init: {
    req: IncomingMessage;
    res: ServerResponse;
    path: string;
    search: string;
    minor: ApiMinor;
    hijack?: Hijack | undefined;
  }) {
    this.req = init.req;
    this.res = init.res;
    this.path = init.path;
    this.search = init.search;
    this.minor = init.minor;
    this.hijack = init.hijack;
  }

  get method(): string {
    return this.req.method ?? 'GET';
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.search);
    return this.#query;
  }

  /** A piece of the path by its name in the route's pattern. */
  param(name: string): string {
    return this.params[name] ?? '';
  }

  /** Fires when the client is gone before its answer was complete. */
  get signal(): AbortSignal {
    if (!this.#gone) {
      const gone = new AbortController();
      this.#gone = gone;
      const leave = (): void => {
        if (!this.res.writableFinished) gone.abort(new Error('the client is gone'));
      };
      if (this.res.destroyed || this.req.socket.destroyed) leave();
      else this.res.once('close', leave);
    }
    return this.#gone.signal;
  }

  json(status: number, value: unknown): void {
    this.body(status, 'application/json', JSON.stringify(value));
  }

  /** Answers with a body that is ready to send. */
  body(status: number, contentType: string, content: string | Buffer): void {
    if (this.res.headersSent || this.res.destroyed) return;
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    this.res.writeHead(status, { 'content-type': contentType, 'content-length': bytes.length });
    this.res.end(this.method === 'HEAD' ? undefined : bytes);
  }

  /** Answers without a body. */
  empty(status: number): void {
    if (this.res.headersSent || this.res.destroyed) return;
    this.res.writeHead(status, status === 204 || status === 304 ? {} : { 'content-length': 0 });
    this.res.end();
  }

  /** Answers with an error in the form the client's version knows: JSON from 1.24 on, text before. */
  fail(error: unknown): void {
    if (this.res.headersSent) {
      this.res.destroy();
      return;
    }
    const status = error instanceof SwarmError ? HTTP_STATUS[error.code] : 500;
    if (status === 304) {
      this.empty(304);
      return;
    }
    this.refuse(status, messageOf(error));
  }

  /** Answers with an error status and its words. */
  refuse(status: number, message: string): void {
    this.dropUpload();
    if (this.minor < 24) this.body(status, 'text/plain; charset=utf-8', `${message}\n`);
    else this.json(status, { message });
  }

  /**
   * Throws away what is left of an upload. A client that is still sending finds its answer only on a connection that
   * stays open meanwhile; one that goes on sending long after it is cut off.
   */
  dropUpload(): void {
    const { req } = this;
    if (this.hijack !== undefined || req.complete || req.destroyed) return;
    req.resume();
    const timer = setTimeout(() => req.socket.destroy(), UPLOAD_LINGER_MS);
    req.once('close', () => clearTimeout(timer));
  }
}
