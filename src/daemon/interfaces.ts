import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { networkInterfaces } from 'node:os';
import { isIPv4, isIPv6 } from 'node:net';
import { SwarmError } from '../base/errors.ts';

/** An address of this machine. */
export interface SystemAddress {
  readonly device: string;
  readonly ip: string;
  readonly family: 4 | 6;
  /** Only this machine reaches it. */
  readonly internal: boolean;
}

/** Every address of this machine, device by device. */
export function systemAddresses(): SystemAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([device, addresses = []]) =>
    addresses.map(({ address, family, internal }) => ({
      device,
      ip: address,
      family: family === 'IPv4' ? 4 : 6,
      internal,
    })),
  );
}

/** Whether this machine has a device, with an address or without. */
export function hasDevice(name: string): boolean {
  return existsSync(join('/sys/class/net', name));
}

/**
 * The address of a device, that of IPv4 where it has both; undefined where no device has that name. Throws `invalid` in
 * Docker's words for a device with several.
 */
export function deviceAddress(device: string, system: readonly SystemAddress[]): string | undefined {
  const own = system.filter((one) => one.device === device);
  if (own.length === 0) return undefined;
  for (const family of [4, 6] as const) {
    const [first, second] = own.filter((one) => one.family === family);
    if (first && second)
      throw new SwarmError(
        'invalid',
        `interface ${device} has more than one IPv${family} address (${first.ip} and ${second.ip})`,
      );
  }
  return (own.find(({ family }) => family === 4) ?? own[0])?.ip;
}

/**
 * The one address by which others reach this machine. `engineSubnets` are those of Docker's own networks: devices in
 * them do not count. Throws `invalid` in Docker's words where there is none, or more than one.
 */
export function soleAddress(system: readonly SystemAddress[], engineSubnets: readonly string[]): string {
  const chosen: SystemAddress[] = [];
  const usable = system.filter((one) => !one.internal && !isLinkLocal(one.ip));
  for (const device of new Set(usable.map((one) => one.device))) {
    const own = usable.filter((one) => one.device === device);
    if (own.some(({ ip }) => engineSubnets.some((subnet) => contains(subnet, ip)))) continue;
    for (const family of [4, 6] as const) {
      const [first, second] = own.filter((one) => one.family === family);
      if (first && second) throw several(first, second);
    }
    const best = own.find(({ family }) => family === 4) ?? own[0];
    if (!best) continue;
    const [other] = chosen;
    if (other) throw several(other, best);
    chosen.push(best);
  }
  const [sole] = chosen;
  if (!sole) throw new SwarmError('invalid', "could not find the system's IP address");
  return sole.ip;
}

function several(one: SystemAddress, other: SystemAddress): SwarmError {
  const where =
    one.device === other.device
      ? `addresses on interface ${one.device} (${one.ip} and ${other.ip})`
      : `addresses on different interfaces (${one.ip} on ${one.device} and ${other.ip} on ${other.device})`;
  return new SwarmError(
    'invalid',
    `could not choose an IP address to advertise since this system has multiple ${where}`,
  );
}

/** Of one network segment alone: what a device has before it has an address. */
export function isLinkLocal(ip: string): boolean {
  return ip.startsWith('169.254.') || /^fe[89ab]/i.test(ip);
}

/** Whether an IPv4 address is in `a.b.c.d/n`. */
function contains(subnet: string, ip: string): boolean {
  const [base = '', bits = ''] = subnet.split('/');
  if (!isIPv4(base) || !isIPv4(ip)) return false;
  const span = 2 ** (32 - Number(bits));
  return Math.floor(numberOf(base) / span) === Math.floor(numberOf(ip) / span);
}

function numberOf(ip: string): number {
  return ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Whether a text is an address of no machine: 0.0.0.0 or `::`. */
export function isUnspecified(ip: string): boolean {
  return ip === '0.0.0.0' || (isIPv6(ip) && /^[0:]+$/.test(ip));
}
