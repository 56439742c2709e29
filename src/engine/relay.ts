import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { SwarmError } from '../base/errors.ts';
import type { EngineClient } from './client.ts';

/** Headers that belong to one connection and must not travel on (RFC 9110, 7.6.1), and those a relay sets itself. */
const NOT_RELAYED = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
]);

/** What is sent to the engine. */
export interface RelayRequest {
  method: string;
  /** Complete: version prefix, path and query. */
  path: string;
  headers: Record<string, string | string[]>;
  body: Readable | Buffer | string | null;
}

export interface RelayOptions {
  /** How long the engine may take until its status line; unlimited when not given. */
  headTimeoutMs?: number;
  /** Called when the request begins to be sent; a failure before that has changed nothing at the engine. */
  onSent?: () => void;
  /** True for an answer that the client is not to get; the relay then rejects with `unavailable`. */
  declines?: (status: number, headers: IncomingHttpHeaders) => boolean;
  /** Gives up: rejects with `unavailable` while nothing was sent to the client, else ends the client's answer. */
  signal?: AbortSignal;
  /** The engine is lost: rejects with the reason while nothing was sent to the client, else cuts its connection. */
  lost?: AbortSignal;
}

/** The request headers that travel on to an engine. */
export function relayedHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && !NOT_RELAYED.has(name)) kept[name] = value;
  }
  return kept;
}

/**
 * The body of a client's request as a relay takes it: null when there is none. It is a copy, because an engine that
 * answers before it has read everything has the body destroyed: a request destroyed with it would take the client's
 * connection along, and the answer with that.
 */
export function relayedBody(request: IncomingMessage): Readable | null {
  const { headers } = request;
  const length = headers['content-length'];
  if (headers['transfer-encoding'] === undefined && (length === undefined || length === '0')) return null;
  const body = new PassThrough();
  const broken = (): void => {
    if (!request.complete) body.destroy(new Error('the request ended before its body was complete'));
  };
  request.once('close', broken);
  request.once('error', broken);
  // Whoever reads it hears of its errors.
  body.on('error', () => undefined);
  body.once('close', () => {
    request.off('close', broken);
    request.unpipe(body);
  });
  request.pipe(body);
  return body;
}

/** What the words behind a status can't hold, such as letters of other alphabets, becomes a question mark. */
function fitReason(text: string): string {
  return text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?');
}

/**
 * Sends a request to the engine and its answer to the client as it comes, with back-pressure both ways.
 * Headers already set on the response stay, over the engine's own.
 * A client that goes away ends the request at the engine; an engine that dies in the middle of its answer cuts
 * the client's connection, so that nobody takes half an answer for a whole one.
 * Resolves with the engine's status when the answer has been handed over, or the client is gone; rejects with
 * `unavailable` or `timeout` only while nothing has been sent to the client.
 */
export function relay(
  engine: EngineClient,
  request: RelayRequest,
  response: ServerResponse,
  options: RelayOptions = {},
): Promise<number> {
  // Who left before this began is not told of again, and nothing would ever end the request at the engine.
  if (response.destroyed) {
    if (request.body instanceof Readable) request.body.destroy();
    return Promise.resolve(0);
  }
  return new Promise((resolve, reject) => {
    let status = 0;
    let control: Dispatcher.DispatchController | undefined;
    let timer: NodeJS.Timeout | undefined;
    let late = false;
    let gone = false;
    let givenUp = false;
    let settled = false;

    const onDrain = (): void => control?.resume();
    const onClose = (): void => {
      if (response.writableFinished) return;
      gone = true;
      control?.abort(new Error('the client is gone'));
      if (control === undefined) settle();
    };
    const onGiveUp = (): void => {
      givenUp = true;
      const reason = new Error('given up');
      if (control === undefined) settle(engine.failure(reason, false));
      else control.abort(reason);
    };
    const onLost = (): void => {
      const reason = options.lost?.reason as Error;
      if (control === undefined) settle(engine.failure(reason, false));
      else control.abort(reason);
    };
    const settle = (error?: SwarmError): void => {
      settled = true;
      clearTimeout(timer);
      options.lost?.removeEventListener('abort', onLost);
      options.signal?.removeEventListener('abort', onGiveUp);
      response.off('drain', onDrain);
      response.off('close', onClose);
      if (error) reject(error);
      else resolve(status);
    };
    response.on('drain', onDrain);
    response.on('close', onClose);
    options.signal?.addEventListener('abort', onGiveUp, { once: true });
    if (options.signal?.aborted) onGiveUp();
    options.lost?.addEventListener('abort', onLost, { once: true });
    if (options.lost?.aborted) onLost();
    if (options.headTimeoutMs !== undefined) {
      timer = setTimeout(() => {
        late = true;
        control?.abort(new Error('no answer in time'));
      }, options.headTimeoutMs);
    }

    engine.dispatcher.dispatch(
      {
        path: request.path,
        method: request.method,
        headers: request.headers,
        body: request.body,
      },
      {
        onRequestStart(controller) {
          control = controller;
          if (settled) controller.abort(new Error('given up'));
          else options.onSent?.();
        },
        onResponseStart(controller, code, headers, statusMessage) {
          if (code < 200) return;
          clearTimeout(timer);
          if (options.declines?.(code, headers) === true) {
            controller.abort(new Error('declined'));
            return;
          }
          status = code;
          const answer: Record<string, string | string[]> = {};
          for (const name in headers) {
            const value = headers[name];
            if (value !== undefined && !NOT_RELAYED.has(name) && !response.hasHeader(name))
              answer[name] = value;
          }
          response.writeHead(code, fitReason(statusMessage ?? ''), answer);
          // A stream's head must reach the client before its first byte does: `wait` answers long after.
          if (headers['content-length'] === undefined) response.flushHeaders();
        },
        onResponseData(controller, chunk) {
          if (!response.write(chunk)) controller.pause();
        },
        onResponseEnd() {
          response.end();
          settle();
        },
        onResponseError(_controller, cause) {
          // Whoever was told of the end while this was still connecting may have begun another answer.
          if (settled) return;
          if (gone) settle();
          else if (response.headersSent) {
            if (givenUp) response.end();
            else response.destroy();
            settle();
          } else settle(engine.failure(cause, late));
        },
      },
    );
  });
}
