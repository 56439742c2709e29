import type { Socket } from 'node:net';

/** Requests after which dockerd stops speaking HTTP on the connection (Engine API: attach, exec start, BuildKit). */
const HIJACKS: readonly { method: string; path: RegExp }[] = [
  { method: 'POST', path: /^(\/v[\d.]+)?\/containers\/.+\/attach$/ },
  { method: 'GET', path: /^(\/v[\d.]+)?\/containers\/.+\/attach\/ws$/ },
  { method: 'POST', path: /^(\/v[\d.]+)?\/exec\/.+\/start$/ },
  { method: 'POST', path: /^(\/v[\d.]+)?\/session$/ },
  { method: 'POST', path: /^(\/v[\d.]+)?\/grpc$/ },
];

/** Whether a request target is one that may leave HTTP. */
export function isHijackPath(method: string, url: string): boolean {
  const end = url.indexOf('?');
  const path = end < 0 ? url : url.slice(0, end);
  return HIJACKS.some((hijack) => hijack.method === method && hijack.path.test(path));
}

/** The head of an HTTP/1.1 request, read by hand. */
export interface RequestHead {
  method: string;
  url: string;
  rawHeaders: string[];
  /** It is the HTTP server's: it asks for an Upgrade, or is not well formed and to be refused. */
  ordinary: boolean;
  /** Everything that was read. */
  raw: Buffer;
  /** What was read behind the head. */
  rest: Buffer;
}

const HEAD_MAX_BYTES = 128 * 1024;

/**
 * Reads a request's head from a paused socket and leaves it paused. A head that does not end, or not within
 * `timeoutMs`, closes the connection.
 */
export function readRequestHead(socket: Socket, timeoutMs: number, done: (head: RequestHead) => void): void {
  let raw: Buffer = Buffer.alloc(0);
  const onEnd = (): void => void socket.destroy();
  const timer = setTimeout(onEnd, timeoutMs);
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', stop);
  };
  const onData = (chunk: Buffer): void => {
    raw = raw.length === 0 ? chunk : Buffer.concat([raw, chunk]);
    const end = raw.indexOf('\r\n\r\n');
    if (end < 0) {
      if (raw.length > HEAD_MAX_BYTES) socket.destroy();
      return;
    }
    stop();
    socket.pause();
    done(parseHead(raw, end));
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', stop);
  socket.resume();
}

/** What a header's name is made of (RFC 9110, 5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;
/** A line feed or such inside a header would end it early for another reader. */
const UNFIT = /[\p{Cc}--[\t\u0080-\u009f]]/v;

function parseHead(raw: Buffer, end: number): RequestHead {
  const [line = '', ...fields] = raw.subarray(0, end).toString('latin1').split('\r\n');
  const [method = '', url = ''] = line.split(' ');
  const rawHeaders: string[] = [];
  let ordinary = UNFIT.test(line);
  for (const field of fields) {
    const colon = field.indexOf(':');
    const name = field.slice(0, Math.max(0, colon));
    if (!TOKEN.test(name) || UNFIT.test(field) || name.toLowerCase() === 'upgrade') ordinary = true;
    rawHeaders.push(name, field.slice(colon + 1).trim());
  }
  return { method, url, rawHeaders, ordinary, raw, rest: raw.subarray(end + 4) };
}
