import { createHash } from 'node:crypto';
import { isIPv4 } from 'node:net';
import type { Backend, MeshPort, PortProtocol, ServiceEndpoints } from '../../model/index.ts';

/** What is no address, port or protocol never gets into a rule. */
export function soundBackends(service: ServiceEndpoints): Backend[] {
  const byAddress = new Map<string, Backend>();
  for (const one of service.backends)
    if (isIPv4(one.address) && one.address !== service.virtualIp) byAddress.set(one.address, one);
  const numbered = [...byAddress.values()].map((one) => ({ one, number: numberOf(one.address) }));
  return numbered.sort((a, b) => a.number - b.number).map(({ one }) => one);
}

const PROTOCOLS: ReadonlySet<string> = new Set<PortProtocol>(['tcp', 'udp', 'sctp']);

/** In order, each published port once. */
export function soundPorts(service: ServiceEndpoints): MeshPort[] {
  const byPublished = new Map<string, MeshPort>();
  for (const port of service.ports)
    if (PROTOCOLS.has(port.protocol) && isPort(port.published) && isPort(port.target))
      byPublished.set(`${port.protocol}/${port.published}`, port);
  return [...byPublished.values()].sort(
    (a, b) => a.published - b.published || a.protocol.localeCompare(b.protocol, 'en'),
  );
}

/** An id as a part of a chain's name; one that is none of Docker's is hashed. */
export function nameOf(id: string): string {
  return /^[a-z0-9]{1,64}$/.test(id) ? id : `x.${createHash('sha256').update(id).digest('hex').slice(0, 32)}`;
}

/** An IPv4 address as the number that it is. */
export function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value < 65_536;
}
