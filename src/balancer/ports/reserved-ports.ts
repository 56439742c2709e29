import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { errorCode } from '../../base/wire-words.ts';
import type { MeshPortRef } from '../../model/index.ts';

/** Holds a port so that nobody else on the host takes it. */
export interface HeldPort {
  release(): void;
}

/** Tries to hold a port: 'taken' where something on the host listens there already. Rejects on anything else. */
export type HoldPort = (port: MeshPortRef) => Promise<HeldPort | 'taken'>;

export function portKey({ protocol, published }: MeshPortRef): string {
  return `${protocol}/${published}`;
}

/** Published ports that this node answers: held, or known to be somebody else's. */
export class ReservedPorts {
  readonly #hold: HoldPort;
  readonly #held = new Map<string, HeldPort | undefined>();
  #taken = new Map<string, MeshPortRef>();
  #faults = new Map<string, string>();

  constructor(hold: HoldPort) {
    this.#hold = hold;
  }

  get taken(): ReadonlyMap<string, MeshPortRef> {
    return this.#taken;
  }

  /** Why ports could not be held though nobody has them, in words. */
  get faults(): readonly string[] {
    return [...new Set(this.#faults.values())];
  }

  /**
   * Holds these and no others. One that is taken is tried again with every call; whether that changed what is
   * taken.
   */
  async want(ports: ReadonlyMap<string, MeshPortRef>): Promise<boolean> {
    for (const key of [...this.#held.keys()]) if (!ports.has(key)) this.#release(key);
    for (const key of [...this.#faults.keys()]) if (!ports.has(key)) this.#faults.delete(key);
    const taken = new Map<string, MeshPortRef>();
    for (const [key, port] of ports) {
      if (this.#held.has(key)) continue;
      if ((await this.#tryHold(key, port)) === 'taken') taken.set(key, port);
    }
    const same = taken.size === this.#taken.size && [...taken.keys()].every((key) => this.#taken.has(key));
    this.#taken = taken;
    return !same;
  }

  releaseAll(): void {
    for (const key of [...this.#held.keys()]) this.#release(key);
  }

  /** A port that can't be held for another reason (no more files, say) is answered all the same. */
  async #tryHold(key: string, port: MeshPortRef): Promise<'held' | 'taken' | 'open'> {
    try {
      const held = await this.#hold(port);
      this.#faults.delete(key);
      if (held === 'taken') return 'taken';
      this.#held.set(key, held);
      return 'held';
    } catch (error) {
      this.#faults.set(
        key,
        `published ports can't be reserved on this node: ${errorCode(error) || String(error)}`,
      );
      return 'open';
    }
  }

  #release(key: string): void {
    this.#held.get(key)?.release();
    this.#held.delete(key);
  }
}

/** Holds a port on all of the host's IPv4 addresses. SCTP has no sockets here: its ports are not held. */
export const holdSystemPort: HoldPort = ({ protocol, published }) => {
  if (protocol === 'tcp') return holdTcp(published);
  if (protocol === 'udp') return holdUdp(published);
  return Promise.resolve({ release: () => undefined });
};

function holdTcp(port: number): Promise<HeldPort | 'taken'> {
  const { promise, resolve, reject } = Promise.withResolvers<HeldPort | 'taken'>();
  // Nobody gets here while the rules are in force; who does all the same is told at once to come again.
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resetAndDestroy();
  });
  server.once('error', (error) => (isTaken(error) ? resolve('taken') : reject(error)));
  server.listen({ port, host: '0.0.0.0', exclusive: true }, () => {
    server.on('error', () => undefined);
    server.unref();
    resolve({ release: () => void server.close() });
  });
  return promise;
}

function holdUdp(port: number): Promise<HeldPort | 'taken'> {
  const { promise, resolve, reject } = Promise.withResolvers<HeldPort | 'taken'>();
  const socket = createSocket('udp4');
  socket.once('error', (error) => {
    if (isTaken(error)) resolve('taken');
    else reject(error);
  });
  socket.bind({ port, address: '0.0.0.0', exclusive: true }, () => {
    socket.on('error', () => undefined);
    socket.unref();
    resolve({ release: () => void socket.close() });
  });
  return promise;
}

function isTaken(error: unknown): boolean {
  return errorCode(error) === 'EADDRINUSE';
}
