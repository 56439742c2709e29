import { SwarmError } from '../../base/errors.ts';

/** A cluster at a token service. */
export interface TokenAddress {
  /** `http(s)://host:port/path`, to which `/clusters` is added. */
  serviceUrl: string;
  /** 32 hexadecimal digits, small letters. */
  token: string;
}

/**
 * Reads what follows `token://`: a token of the service at `serviceUrl`, or `host/path/TOKEN`, which names its own
 * service and is https there, as in the original. Throws `invalid`.
 */
export function tokenAddress(rest: string, serviceUrl: string | undefined): TokenAddress {
  const cut = rest.lastIndexOf('/');
  const token = rest.slice(cut + 1).toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(token)) throw new SwarmError('invalid', malformed(rest.slice(cut + 1)));
  return { serviceUrl: cut === -1 ? tokenService(serviceUrl) : ownService(rest.slice(0, cut)), token };
}

/** The URL of the token service, checked, without slashes at its end. Throws `invalid`, `unavailable` without one. */
export function tokenService(text: string | undefined): string {
  if (text === undefined || text === '') throw new SwarmError('unavailable', NO_SERVICE);
  // Where a user stands, a password may stand too.
  const shown = JSON.stringify(text.replace(/[^/@]*@/, '...@'));
  const bad = (why: string): SwarmError =>
    new SwarmError('invalid', `invalid URL of a token service ${shown}: ${why}`);
  const url = URL.parse(text);
  if (!url || !/^https?:\/\/[^/]/i.test(text)) throw bad('expected http://HOST:PORT or https://HOST:PORT');
  if (url.search || url.hash) throw bad('it ends with its path');
  if (url.username || url.password) throw bad('it takes no user');
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

function ownService(place: string): string {
  return tokenService(`https://${place}`);
}

function malformed(token: string): string {
  // A slip of the finger in a good one must not put it into a log.
  const shown = token.length > 12 ? `${token.slice(0, 8)}...` : token;
  return `malformed token ${JSON.stringify(shown)}: a token has 32 hexadecimal digits, as 'swarm create' prints it`;
}

const NO_SERVICE =
  'no token service is known, and the public one at discovery.hub.docker.com is gone. Start one: ' +
  'swarm discovery -H tcp://0.0.0.0:8090, and name it: export SWARM_TOKEN_URL=http://HOST:8090 ' +
  '(or --discovery-opt token.url=http://HOST:8090)';
