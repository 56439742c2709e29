import { isIP } from 'node:net';
import { SwarmError } from '../base/errors.ts';
import { deviceAddress, isUnspecified, soleAddress, type SystemAddress } from './interfaces.ts';

/** Where a manager listens for nodes, and what it tells them. */
export interface SwarmAddresses {
  readonly listen: { readonly host: string; readonly port: number };
  /** What nodes dial. */
  readonly advertise: { readonly host: string; readonly port: number };
  /** Where the overlay networks' packets go; empty for the advertised address. */
  readonly dataPath: string;
  /** Whose address is advertised; none where that is no address of this host. */
  readonly source?: AddressSource;
}

/** The device that an advertised address is one of. */
export interface AddressSource {
  readonly device: string;
  /** Whether the user named the device; what it has is advertised then, also where the former address is another one's. */
  readonly isNamed: boolean;
}

export interface AddressWish {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
}

export interface System {
  readonly addresses: readonly SystemAddress[];
  /** Of Docker's own networks: `172.17.0.0/16`. */
  readonly engineSubnets: readonly string[];
}

const SWARM_PORT = 2377;

/** Makes addresses of what `docker swarm init` was told. Throws `invalid` in Docker's words. */
export function swarmAddresses(wish: AddressWish, system: System): SwarmAddresses {
  const listen = listenAddress(wish.listenAddr, system);
  const advertise = advertiseAddress(wish.advertiseAddr, listen.port, system);
  if (isUnspecified(listen.host) && !system.addresses.some(({ ip }) => ip === advertise.host))
    requireSoleAddress(system);
  const source = sourceOf(advertise.host, system);
  return {
    ...{ listen, advertise, dataPath: dataPathAddress(wish.dataPathAddr, system) },
    ...(source ? { source: { ...source, isNamed: split(wish.advertiseAddr)?.host === source.device } } : {}),
  };
}

/** The device of this host that has an address; undefined for an address of another host, and for loopback. */
export function sourceOf(ip: string, { addresses }: Pick<System, 'addresses'>): AddressSource | undefined {
  const own = addresses.find((one) => one.ip === ip && !one.internal);
  return own && { device: own.device, isNamed: false };
}

/** `ip:port` as a client dials it. */
export function hostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function listenAddress(text: string, { addresses }: System): SwarmAddresses['listen'] {
  const { host, port = SWARM_PORT } = split(text) ?? unreadable(text);
  const ip = deviceAddress(host, addresses) ?? (host === '' ? '0.0.0.0' : host);
  if (isIP(ip) === 0)
    throw invalid('listen address must be an IP address or network interface (with optional port number)');
  return { host: ip, port };
}

function advertiseAddress(text: string, port: number, system: System): SwarmAddresses['advertise'] {
  if (text === '') return { host: soleAddress(system.addresses, system.engineSubnets), port };
  const parts = split(text);
  const ip = deviceAddress(parts?.host ?? text, system.addresses) ?? parts?.host ?? text;
  if (isIP(ip) === 0 || isUnspecified(ip))
    throw invalid(
      'advertise address must be a non-zero IP address or network interface (with optional port number)',
    );
  return { host: ip, port: parts?.port ?? port };
}

function dataPathAddress(text: string, { addresses }: System): string {
  if (text === '') return '';
  const ip = deviceAddress(text, addresses) ?? text;
  if (isIP(ip) === 0 || isUnspecified(ip))
    throw invalid(
      'data path address must be a non-zero IP address or network interface (without a port number)',
    );
  return ip;
}

/** An address to advertise that is not this machine's: then it must have one of its own to listen on. */
function requireSoleAddress({ addresses, engineSubnets }: System): void {
  try {
    soleAddress(addresses, engineSubnets);
  } catch {
    throw invalid(
      "must specify a listening address because the address to advertise is not recognized as a system address, and a system's IP address to use could not be uniquely identified",
    );
  }
}

/** `host`, `host:port`, `[v6]`, `[v6]:port`, or an IPv6 address alone; undefined for anything else. */
function split(text: string): { host: string; port?: number } | undefined {
  const bare = text.replace(/^tcp:\/\//, '');
  if (isIP(bare) === 6) return { host: bare };
  const [, v6, name, port] = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(bare) ?? [];
  const host = v6 ?? name;
  if (host === undefined || (port !== undefined && (Number(port) < 1 || Number(port) > 65535)))
    return undefined;
  return { host, ...(port === undefined ? {} : { port: Number(port) }) };
}

function unreadable(text: string): never {
  throw invalid(`could not parse listen address ${text}`);
}

function invalid(message: string): SwarmError {
  return new SwarmError('invalid', message);
}
