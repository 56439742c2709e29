import { AsyncLocalStorage } from 'node:async_hooks';
import { BlockList, isIPv6, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { plainAddr } from '../identity.ts';
import { InnerStream } from './inner-stream.ts';
import { readRelayHead } from './relay-head.ts';

const HEAD_MAX_MS = 5_000;

/**
 * Connections that came inside one from another manager. The caller's address is what was said of it; it goes with all
 * that happens on the inner connection, whose socket knows none.
 */
export class RelayedCallers {
  readonly #said = new AsyncLocalStorage<string>();

  /** Calls back with the caller's connection; what does not say whose it is is cut. */
  receive(outer: Socket, accept: (inner: Duplex) => void): void {
    readRelayHead(outer, HEAD_MAX_MS, (said) => {
      if (said === undefined) return void outer.destroy();
      // A caller on the other manager's own host is, from here, at that manager's address.
      const addr = isLoopback(said) ? plainAddr(outer.remoteAddress) : said;
      this.#said.run(addr, () => accept(new InnerStream(outer)));
    });
  }

  /** The address of the caller whose connection something just happens on; undefined where it came itself. */
  get addr(): string | undefined {
    return this.#said.getStore();
  }
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

function isLoopback(addr: string): boolean {
  return LOOPBACK.check(addr, isIPv6(addr) ? 'ipv6' : 'ipv4');
}
