import { isIPv4, isIPv6 } from 'node:net';
import { SwarmError } from './errors.ts';

/** An address of `--host`. An empty host means every address of the machine; port 0 any free one. */
export type ListenAddress = { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string };

/** The kernel's room for a socket's path (sun_path without its closing zero). */
const MAX_SOCKET_PATH_BYTES = 107;

/** Reads `tcp://host:port`, `host:port`, `:port`, `[v6]:port` or `unix://path`. Throws `invalid`. */
export function parseListenAddress(text: string): ListenAddress {
  const cut = text.indexOf('://');
  const protocol = cut === -1 ? 'tcp' : text.slice(0, cut);
  const address = cut === -1 ? text : text.slice(cut + '://'.length);
  if (protocol === 'unix') return { kind: 'unix', path: socketPath(text, address) };
  if (protocol !== 'tcp')
    throw bad(text, `unsupported protocol: "${protocol}", only tcp:// and unix:// can be listened on`);
  return tcpAddress(text, address.replace(/\/$/, ''));
}

function socketPath(text: string, path: string): string {
  if (path === '') throw bad(text, 'the path of the socket is missing');
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
    throw bad(text, `the path of a socket has at most ${MAX_SOCKET_PATH_BYTES} bytes`);
  return path;
}

function tcpAddress(text: string, address: string): ListenAddress {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(.*)$/.exec(address);
  if (!match)
    throw bad(text, address.includes('::') ? 'IPv6 needs brackets: [::1]:2375' : 'missing port in address');
  const [, v6, name = '', port = ''] = match;
  if (v6 !== undefined && !isIPv6(v6)) throw bad(text, 'not an IPv6 address');
  if (/^[\d.]+$/.test(name) && !isIPv4(name)) throw bad(text, 'not an IPv4 address');
  if (!/^[A-Za-z0-9._-]*$/.test(name)) throw bad(text, 'not a host name');
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535)
    throw bad(
      text,
      port.includes(':') ? 'IPv6 needs brackets: [::1]:2375' : 'the port is not a number up to 65535',
    );
  return { kind: 'tcp', host: v6 ?? name, port: Number(port) };
}

function bad(text: string, why: string): SwarmError {
  return new SwarmError('invalid', `invalid --host ${JSON.stringify(text)}: ${why}`);
}

/** The form the log and the messages show. */
export function listenText(address: ListenAddress): string {
  if (address.kind === 'unix') return address.path;
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/** Whether others than this machine's users can reach it. */
export function isExposed(address: ListenAddress): boolean {
  if (address.kind === 'unix') return false;
  return !(address.host === 'localhost' || address.host === '::1' || /^127\.[\d.]+$/.test(address.host));
}
