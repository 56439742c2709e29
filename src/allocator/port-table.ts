import type { PortProtocol } from '../model/index.ts';
import { portKey } from './endpoint.ts';

/** What is given where a user names no port. */
export const FIRST_PORT = 30_000;
export const LAST_PORT = 32_767;

/** Which service has which ports of the swarm, in ingress mode; each port of a protocol once. */
export class PortTable {
  readonly #holders = new Map<string, string>();
  readonly #byService = new Map<string, ReadonlySet<string>>();
  /** Ports that services' specs name, whether they have them already or not. */
  readonly #named = new Map<string, Set<string>>();
  readonly #namedBy = new Map<string, ReadonlySet<string>>();
  readonly #cursors = new Map<PortProtocol, number>();

  holder(key: string): string | undefined {
    return this.#holders.get(key);
  }

  /** False when another service has it. */
  take(key: string, serviceId: string): boolean {
    const holder = this.#holders.get(key);
    if (holder !== undefined) return holder === serviceId;
    this.#holders.set(key, serviceId);
    this.#byService.set(serviceId, new Set([...(this.#byService.get(serviceId) ?? []), key]));
    return true;
  }

  /** The next free port that no service's spec names either; undefined when there is none. */
  takeNext(protocol: PortProtocol, serviceId: string): number | undefined {
    const start = this.#cursors.get(protocol) ?? FIRST_PORT;
    for (let step = 0; step <= LAST_PORT - FIRST_PORT; step++) {
      const publishedPort = FIRST_PORT + ((start - FIRST_PORT + step) % (LAST_PORT - FIRST_PORT + 1));
      const key = portKey({ protocol, publishedPort });
      if (this.#holders.has(key) || this.#named.has(key)) continue;
      this.take(key, serviceId);
      this.#cursors.set(protocol, publishedPort + 1);
      return publishedPort;
    }
    return undefined;
  }

  /** Takes note of the ports that a service's spec names. */
  name(serviceId: string, keys: ReadonlySet<string>): void {
    for (const key of this.#namedBy.get(serviceId) ?? []) {
      const services = this.#named.get(key);
      services?.delete(serviceId);
      if (services?.size === 0) this.#named.delete(key);
    }
    for (const key of keys) {
      const services = this.#named.get(key);
      if (services) services.add(serviceId);
      else this.#named.set(key, new Set([serviceId]));
    }
    if (keys.size > 0) this.#namedBy.set(serviceId, keys);
    else this.#namedBy.delete(serviceId);
  }

  /** Makes what a service has exactly this: what its row says. True when something became free. */
  settle(serviceId: string, keys: ReadonlySet<string>): boolean {
    const before = this.#byService.get(serviceId) ?? new Set<string>();
    const freed = [...before].filter((key) => !keys.has(key));
    for (const key of freed) this.#holders.delete(key);
    const kept = [...keys].filter((key) => this.take(key, serviceId));
    if (kept.length > 0) this.#byService.set(serviceId, new Set(kept));
    else this.#byService.delete(serviceId);
    return freed.length > 0;
  }
}
