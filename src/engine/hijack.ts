import type { Duplex } from 'node:stream';
import { SwarmError } from '../base/errors.ts';
import type { EngineClient } from './client.ts';
import { requestBody } from './request-body.ts';

/** A request whose connection leaves HTTP after its head: attach, exec, session, grpc, websocket. */
export interface HijackedRequest {
  method: string;
  /** Header names and values in the order they came: name, value, name, value … */
  rawHeaders: readonly string[];
  /** Bytes that came behind the head: the body, and what was sent after it. */
  head: Buffer;
  socket: Duplex;
}

const HEAD_MAX_BYTES = 64 * 1024;
/** What a client may send ahead of the engine's answer before it is made to wait. */
const AHEAD_MAX_BYTES = 64 * 1024;
/** How long a client may keep its half of a finished session open. */
const LINGER_MS = 10_000;
const HEAD_END = Buffer.from('\r\n\r\n');
/** An attach has no use for a body: dockerd would take what comes behind the head as the container's input. */
const ATTACH = /\/attach(?:\?|$)/;
const BODY_HEADERS = /^(?:content-length|content-type|transfer-encoding)$/i;
const LAST_CHUNK = '0\r\n\r\n';

/**
 * Passes a hijacked request to an engine at `path`, and from then on every byte both ways, half-closes included.
 * Until the engine has agreed to leave HTTP it gets the request and nothing behind it; when it declines (any answer
 * that is an ordinary HTTP response) the client gets that answer and its connection is closed. So nothing a client
 * sends ever reaches an engine as a request of its own, past the manager.
 * When `lost` fires, the engine's side is closed. Resolves when both directions are closed; rejects with `unavailable`
 * while nothing was sent to the client.
 */
export async function relayHijacked(
  engine: Pick<EngineClient, 'address' | 'connect'>,
  request: HijackedRequest,
  path: string,
  lost?: AbortSignal,
): Promise<void> {
  const client = request.socket;
  if (client.destroyed) return;
  const leaving = new AbortController();
  const onLeave = (): void => leaving.abort();
  client.once('close', onLeave);
  lost?.addEventListener('abort', onLeave, { once: true });
  const upstream = await engine.connect(leaving.signal).finally(() => {
    client.off('close', onLeave);
    lost?.removeEventListener('abort', onLeave);
  });
  // Who left just now is not told of again.
  if (hasLeft(client)) {
    upstream.destroy();
    return;
  }
  const onLost = (): void => void upstream.destroy();
  lost?.addEventListener('abort', onLost, { once: true });
  upstream.once('close', () => lost?.removeEventListener('abort', onLost));
  await new Promise<void>((resolve, reject) => {
    let answered = false;
    let open = 2;
    const closed = (): void => {
      open -= 1;
      if (open === 0) resolve();
    };
    const hasBody = !ATTACH.test(path);
    const body = requestBody(request.rawHeaders);
    const ahead: Buffer[] = [];
    let aheadBytes = 0;
    const sendBody = (chunk: Buffer): void => {
      const own = body.take(chunk);
      if (own > 0 && hasBody && !upstream.write(chunk.subarray(0, own))) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
      if (own === chunk.length) return;
      ahead.push(chunk.subarray(own));
      aheadBytes += chunk.length - own;
      if (aheadBytes > AHEAD_MAX_BYTES) client.pause();
    };
    client.once('close', () => {
      upstream.destroy();
      closed();
    });
    upstream.once('close', () => {
      if (!answered && !client.destroyed) {
        client.off('data', sendBody);
        reject(new SwarmError('unavailable', `engine ${engine.address.text} closed the connection`));
        return;
      }
      client.end();
      // The session is over; a client that never closes its half must not hold the connection for ever.
      setTimeout(() => client.destroy(), LINGER_MS).unref();
      closed();
    });
    upstream.once('end', () => upstream.end());
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => undefined);

    upstream.write(requestHead(request, path, hasBody));
    sendBody(request.head);
    client.on('data', sendBody);
    // It comes paused from whoever read its head.
    client.resume();

    const onHead = (head: Buffer, rest: Buffer): void => {
      if (isInformation(head)) {
        client.write(head);
        if (rest.length > 0) upstream.unshift(rest);
        readHead(upstream, onHead);
        return;
      }
      answered = true;
      client.off('data', sendBody);
      if (isRaw(head)) {
        client.write(head);
        if (rest.length > 0) client.write(rest);
        upstream.pipe(client);
        for (const chunk of ahead) upstream.write(chunk);
        client.pipe(upstream);
      } else {
        client.resume();
        declined(head, rest, upstream, client);
      }
    };
    readHead(upstream, onHead);
  });
}

function hasLeft({ destroyed }: Duplex): boolean {
  return destroyed;
}

function requestHead(request: HijackedRequest, path: string, hasBody: boolean): string {
  let text = `${request.method} ${path} HTTP/1.1\r\n`;
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? '';
    if (!hasBody && BODY_HEADERS.test(name)) continue;
    text += `${name}: ${request.rawHeaders[i + 1] ?? ''}\r\n`;
  }
  return `${text}\r\n`;
}

/** Reads up to the end of an HTTP head, then calls back once with it and the bytes behind it. */
function readHead(stream: Duplex, done: (head: Buffer, rest: Buffer) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const end = seen.indexOf(HEAD_END);
    if (end < 0) {
      if (seen.length > HEAD_MAX_BYTES) stream.destroy();
      return;
    }
    stream.off('data', onData);
    stream.pause();
    done(seen.subarray(0, end + HEAD_END.length), seen.subarray(end + HEAD_END.length));
  };
  stream.on('data', onData);
  stream.resume();
}

/** Whether a head only goes before the one that matters, as `100 Continue` does. */
function isInformation(head: Buffer): boolean {
  return /^HTTP\/1\.1 1\d\d /.test(head.toString('latin1', 0, 16)) && !isRaw(head);
}

/** Whether an answer's head opens a raw stream: 101, or the 200 without a length that dockerd hijacks with. */
function isRaw(head: Buffer): boolean {
  const text = head.toString('latin1');
  if (/^HTTP\/1\.1 101 /.test(text)) return true;
  return /^HTTP\/1\.1 200 /.test(text) && !/\r\n(content-length|transfer-encoding):/i.test(text);
}

/** Hands over an ordinary HTTP answer and closes. */
function declined(head: Buffer, rest: Buffer, upstream: Duplex, client: Duplex): void {
  const text = head.toString('latin1');
  const length = /\r\ncontent-length:\s*(\d+)/i.exec(text)?.[1];
  const wanted = length === undefined ? Infinity : Number(length);
  const chunked = /\r\ntransfer-encoding:\s*chunked/i.test(text);
  let got = 0;
  let tail = '';
  const finish = (): void => {
    client.end();
    upstream.destroy();
  };
  const take = (chunk: Buffer): void => {
    got += chunk.length;
    tail = `${tail}${chunk.toString('latin1', Math.max(0, chunk.length - LAST_CHUNK.length))}`.slice(
      -LAST_CHUNK.length,
    );
    client.write(chunk);
    if (got >= wanted || (chunked && tail === LAST_CHUNK)) finish();
  };
  client.write(text.replace(/\r\n\r\n$/, '\r\nConnection: close\r\n\r\n'), 'latin1');
  if (wanted === 0) {
    finish();
    return;
  }
  upstream.on('data', take);
  upstream.once('end', finish);
  if (rest.length > 0) take(rest);
  upstream.resume();
}
