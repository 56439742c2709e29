import { BlockList, isIPv6, type Socket } from 'node:net';
import { plainAddr } from '../identity.ts';
import { readRelayHead } from './relay-head.ts';

const HEAD_MAX_MS = 5_000;

/**
 * Connections that came inside one from another manager. A caller is known by the address that was said of it: what a
 * socket inside another one shows as its far end is that of the outer one, which nobody else has meanwhile.
 */
export class RelayedCallers {
  readonly #said = new Map<string, string>();

  /** Calls back when the caller's bytes come next; what does not say whose they are is cut. */
  receive(outer: Socket, accept: () => void): void {
    readRelayHead(outer, HEAD_MAX_MS, (said) => {
      const place = placeOf(outer);
      if (said === undefined || place === undefined) return void outer.destroy();
      // A caller on the other manager's own host is, from here, at that manager's address.
      const addr = isLoopback(said) ? plainAddr(outer.remoteAddress) : said;
      this.#said.set(place, addr);
      outer.once('close', () => this.#said.delete(place));
      accept();
    });
  }

  has(socket: Socket): boolean {
    return this.#said.has(placeOf(socket) ?? '');
  }

  /** The caller's address. */
  addrOf(socket: Socket): string {
    return this.#said.get(placeOf(socket) ?? '') ?? plainAddr(socket.remoteAddress);
  }
}

/** Undefined for a connection that has ended. */
function placeOf({ remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

function isLoopback(addr: string): boolean {
  return LOOPBACK.check(addr, isIPv6(addr) ? 'ipv6' : 'ipv4');
}
