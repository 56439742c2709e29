import { isIPv6 } from 'node:net';

/** A member's ports, if nothing else is said; 2379 and 2380 are those of an etcd that the host may run for others. */
export const USUAL_PORTS: Ports = { client: 2387, peer: 2388 };

export interface Ports {
  /** Managers ask here. */
  readonly client: number;
  /** Members speak to one another. */
  readonly peer: number;
}

/** Where a member is reached. */
export interface MemberPlace {
  /** The address, or name, under which managers and other members reach it. */
  readonly host: string;
  /** The address that it listens at: 0.0.0.0 or :: for all. */
  readonly listen: string;
  readonly ports: Ports;
}

const LOOPBACK = '127.0.0.1';
const ANY = ['0.0.0.0', '::', LOOPBACK];

/** `host:port`, with brackets where it takes some. */
export function hostPort(host: string, port: number): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** etcd knows peers by URLs alone. */
export function peerUrl({ host, ports }: Pick<MemberPlace, 'host' | 'ports'>): string {
  return url(host, ports.peer);
}

/** What managers connect to. */
export function clientUrl({ host, ports }: Pick<MemberPlace, 'host' | 'ports'>): string {
  return url(host, ports.client);
}

/** Where it listens for managers: for that of its own host at loopback, whatever its address becomes. */
export function clientListenUrls({ listen, ports }: MemberPlace): string[] {
  const hosts = ANY.includes(listen) ? [listen] : [listen, LOOPBACK];
  return hosts.map((host) => url(host, ports.client));
}

export function peerListenUrl({ listen, ports }: MemberPlace): string {
  return url(listen, ports.peer);
}

/** What the manager beside it connects to. */
export function localEndpoint({ ports }: MemberPlace): string {
  return hostPort(LOOPBACK, ports.client);
}

/** The `host:port` of an URL. */
export function endpointOf(text: string): string {
  return text.replace(/^https?:\/\//, '');
}

function url(host: string, port: number): string {
  return `https://${hostPort(host, port)}`;
}
