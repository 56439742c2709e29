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
  /** It asks for an Upgrade, which the HTTP server can give. */
  upgrades: boolean;
  /** Everything that was read. */
  raw: Buffer;
  /** What was read behind the head. */
  rest: Buffer;
}

const HEAD_MAX_BYTES = 128 * 1024;

/** Reads a request's head from a paused socket and leaves it paused. A head that never ends closes the connection. */
export function readRequestHead(socket: Socket, done: (head: RequestHead) => void): void {
  let raw: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    raw = raw.length === 0 ? chunk : Buffer.concat([raw, chunk]);
    const end = raw.indexOf('\r\n\r\n');
    if (end < 0) {
      if (raw.length > HEAD_MAX_BYTES) socket.destroy();
      return;
    }
    socket.off('data', onData);
    socket.pause();
    done(parseHead(raw, end));
  };
  socket.on('data', onData);
  socket.resume();
}

function parseHead(raw: Buffer, end: number): RequestHead {
  const [line = '', ...fields] = raw.subarray(0, end).toString('latin1').split('\r\n');
  const [method = '', url = ''] = line.split(' ');
  const rawHeaders: string[] = [];
  let upgrades = false;
  for (const field of fields) {
    const colon = field.indexOf(':');
    if (colon <= 0) continue;
    const name = field.slice(0, colon).trim();
    if (name.toLowerCase() === 'upgrade') upgrades = true;
    rawHeaders.push(name, field.slice(colon + 1).trim());
  }
  return { method, url, rawHeaders, upgrades, raw, rest: raw.subarray(end + 4) };
}
