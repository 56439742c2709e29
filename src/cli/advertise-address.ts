import { isIPv6 } from 'node:net';

/** Whether a text is `ip:port` or `hostname:port`, as other machines must be able to dial it. */
export function isAdvertisable(text: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text);
  if (!match) return false;
  const port = Number(match[3]);
  return (match[1] === undefined || isIPv6(match[1])) && port >= 1 && port <= 65535;
}
