import { isIPv4, isIPv6 } from 'node:net';

/** Whether a text is `ip:port`, `hostname:port` or `[v6]:port`, as another machine can dial it. */
export function isHostPort(text: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([A-Za-z0-9._-]{1,253})):(\d{1,5})$/.exec(text);
  if (!match) return false;
  const [, v6, name = '', port] = match;
  if (v6 !== undefined ? !isIPv6(v6) : /^[\d.]+$/.test(name) && !isIPv4(name)) return false;
  return Number(port) >= 1 && Number(port) <= 65535;
}

/** Of `host:port`; without the brackets of an IPv6 address. */
export function hostOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}

export function portOf(endpoint: string): number {
  return Number(endpoint.slice(endpoint.lastIndexOf(':') + 1));
}
