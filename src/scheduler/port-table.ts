import type { PortUse, Protocol } from './facts.ts';

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'sctp'];
const PROTOCOL_INDEX: Record<Protocol, number> = { tcp: 0, udp: 1, sctp: 2 };

interface Holders {
  /** Containers that hold the port on every address. */
  everywhere: number;
  /** Holders by address; undefined while nobody asked for a single one. */
  byIp: Map<string, number> | undefined;
}

/** '' for every address, else the address in one spelling. */
export function hostIpKey(hostIp: string): string {
  if (hostIp === '' || hostIp === '0.0.0.0') return '';
  const bare = (hostIp.startsWith('[') && hostIp.endsWith(']') ? hostIp.slice(1, -1) : hostIp).toLowerCase();
  return /^[0:]+$/.test(bare) ? '' : bare;
}

function key(port: number, protocol: Protocol): number {
  return port * 4 + PROTOCOL_INDEX[protocol];
}

/** The port and protocol of a key, as `80/tcp`. */
function keyText(at: number): string {
  return `${at >> 2}/${PROTOCOLS[at & 3]}`;
}

function clash(one: Holders, other: Holders): boolean {
  if (one.everywhere > 0 || other.everywhere > 0) return true;
  for (const ip of one.byIp?.keys() ?? []) if (other.byIp?.has(ip)) return true;
  return false;
}

/** The host ports in use on one node. Holders are counted, so that a port held twice is free after two removals. */
export class PortTable {
  readonly #holders = new Map<number, Holders>();

  add(use: PortUse): void {
    if (use.port === 0) return;
    const at = key(use.port, use.protocol);
    let holders = this.#holders.get(at);
    if (!holders) this.#holders.set(at, (holders = { everywhere: 0, byIp: undefined }));
    const ip = hostIpKey(use.hostIp);
    if (ip === '') holders.everywhere++;
    else (holders.byIp ??= new Map()).set(ip, (holders.byIp.get(ip) ?? 0) + 1);
  }

  remove(use: PortUse): void {
    const at = key(use.port, use.protocol);
    const holders = this.#holders.get(at);
    if (!holders) return;
    const ip = hostIpKey(use.hostIp);
    if (ip === '') holders.everywhere--;
    else {
      const left = (holders.byIp?.get(ip) ?? 0) - 1;
      if (left > 0) holders.byIp?.set(ip, left);
      else holders.byIp?.delete(ip);
    }
    if (holders.everywhere <= 0 && !holders.byIp?.size) this.#holders.delete(at);
  }

  /** Whether the port is taken on that address, or on an address that includes it or that it includes. */
  taken(use: PortUse): boolean {
    const holders = this.#holders.get(key(use.port, use.protocol));
    if (!holders) return false;
    if (holders.everywhere > 0) return true;
    const ip = hostIpKey(use.hostIp);
    return ip === '' || holders.byIp?.has(ip) === true;
  }

  /** The first port that both tables claim, as `80/tcp`; takes the time of the smaller one. */
  conflict(other: PortTable): string | undefined {
    if (other.#holders.size < this.#holders.size) return other.conflict(this);
    for (const [at, holders] of this.#holders) {
      const theirs = other.#holders.get(at);
      if (theirs && clash(holders, theirs)) return keyText(at);
    }
    return undefined;
  }
}
