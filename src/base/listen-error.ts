import { SwarmError } from './errors.ts';

interface ListenError extends Error {
  code: string;
  address?: string;
  hostname?: string;
  port?: number;
}

/** The calls of which a listen consists. */
const LISTENING = new Set(['listen', 'bind', 'getaddrinfo']);

/** Turns a failed `listen` anywhere in the causes into one line with the ways out; gives other errors back as they are. */
export function explainListenError(error: unknown): unknown {
  const cause = listenErrorIn(error);
  const sentence = cause && sentenceFor(cause);
  return sentence === undefined ? error : new SwarmError('unavailable', sentence, { cause: error });
}

function listenErrorIn(error: unknown): ListenError | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1)
    if ('syscall' in at && LISTENING.has(String(at.syscall)) && 'code' in at) return at as ListenError;
  return undefined;
}

function sentenceFor({ code, address = '', hostname = '', port = -1 }: ListenError): string | undefined {
  const host = address.includes(':') ? `[${address}]` : address;
  const tcp = port >= 0;
  const elsewhere = address === '::' || address === '0.0.0.0' ? ':PORT' : `tcp://${host}:PORT`;
  const what = tcp ? `listen tcp ${host}:${port}` : `listen unix ${address}`;
  switch (code) {
    case 'EADDRINUSE':
      return tcp
        ? `${what}: address already in use. Choose another port (-H ${elsewhere}), or see who holds it: ss -ltnp 'sport = :${port}'`
        : `${what}: address already in use. Choose another path (-H unix:///PATH), or see who holds it: ss -lxp src ${address}`;
    case 'EADDRNOTAVAIL':
      return `${what}: not an address of this machine. Choose one of: ip addr, or all of them: -H :${port}`;
    case 'EACCES':
      // libuv says EACCES for a socket's missing folder too.
      return tcp
        ? `${what}: permission denied. Choose a port above 1023 (-H ${elsewhere}), or start it as root`
        : `${what}: its folder does not exist or may not be written. Make it, or choose another path (-H unix:///PATH)`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `listen tcp: the host name ${hostname} cannot be resolved. Give an IP address (-H tcp://IP:PORT)`;
    default:
      return undefined;
  }
}
