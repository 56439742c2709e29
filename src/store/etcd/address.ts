import { isHostPort } from '../../base/host-port.ts';
import { SwarmError } from '../../base/errors.ts';

/** Where an etcd is that keeps the state, as `--store` names it. */
export interface EtcdAddress {
  /** `host:port` or `[v6]:port`, in the order in which they are tried. */
  readonly endpoints: readonly string[];
  /** What all keys of the swarm begin with: `/skep`, if nothing is said. One swarm each. */
  readonly prefix: string;
  readonly user?: string;
  readonly password?: string;
}

const USUAL_PORT = 2379;
const USUAL_PREFIX = '/skep';

/** Reads `etcd://[user:password@]host[:port],…[/prefix]`. Throws `invalid`, without the password. */
export function parseEtcdAddress(text: string): EtcdAddress {
  const [, login, hosts = '', prefix] =
    /^etcd:\/\/(?:([^@/]*)@)?([^/@?#]+)(\/[^?#]*)?$/.exec(text) ??
    invalid('expected etcd://host[:port],…[/prefix]');
  const endpoints = hosts.split(',').map(endpointOf);
  const twice = endpoints.find((one, index) => endpoints.indexOf(one) !== index);
  if (twice !== undefined) invalid(`${twice} is named twice`);
  return { endpoints, prefix: prefixOf(prefix), ...userOf(login) };
}

function endpointOf(host: string): string {
  const endpoint = /^(\[[^\]]*\]|[^:]*):\d+$/.test(host) ? host : `${host}:${USUAL_PORT}`;
  return isHostPort(endpoint) ? endpoint : invalid(`'${host}' is no host[:port]`);
}

function prefixOf(path: string | undefined): string {
  const parts = (path ?? '').split('/').filter((part) => part !== '');
  for (const part of parts)
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(part)) invalid(`'${part}' can't be a part of its prefix`);
  return parts.length === 0 ? USUAL_PREFIX : `/${parts.join('/')}`;
}

function userOf(login: string | undefined): { user?: string; password?: string } {
  if (login === undefined) return {};
  const cut = login.indexOf(':');
  if (cut < 1) invalid('a user needs a password: etcd://user:password@host');
  try {
    return {
      user: decodeURIComponent(login.slice(0, cut)),
      password: decodeURIComponent(login.slice(cut + 1)),
    };
  } catch {
    return invalid('in the user and the password, % begins an escape');
  }
}

function invalid(why: string): never {
  throw new SwarmError('invalid', `invalid etcd address: ${why}`);
}
