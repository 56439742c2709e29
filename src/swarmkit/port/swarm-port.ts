import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { ConnectRouter } from '@connectrpc/connect';
import type { Logger } from '../../base/log.ts';
import { peek } from '../../base/peek.ts';
import type { SwarmCredentials } from '../identity.ts';
import type { ApiHandler } from './api-door.ts';
import { readFirstBytes } from './client-hello.ts';
import { API_PROTOCOL, RELAY_PROTOCOL, type ManagerPlace } from './manager-socket.ts';
import { Relays, type RelayTimes } from './relays.ts';
import { SwarmDoor } from './swarm-door.ts';

export interface SwarmPortOptions {
  /** Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly credentials: SwarmCredentials;
  /** Whether a node is a manager now, by its row: a certificate alone may be older than its demotion. */
  readonly isManager: (nodeId: string) => boolean;
  readonly log: Logger;
  /** How often silent connections are looked at; 20 s if nothing is said. */
  readonly lookMs?: number;
  /** How long a TLS handshake may take; 10 s if nothing is said. */
  readonly handshakeMs?: number;
  readonly relayTimes?: RelayTimes;
  /** How many connections are relayed at a time; 10,000 if nothing is said. */
  readonly relaysMax?: number;
}

/** The swarm's port of a manager, whoever leads. */
export interface SwarmPort {
  readonly port: number;
  /** For new connections; live ones go on with what they have. */
  setCredentials(credentials: SwarmCredentials): void;
  /** Connections that are open now, relayed ones among them. */
  connections(): number;
  /**
   * Answers calls by these services from now on, and relays to nobody until `passTo` says so again. Adds the services by
   * `routes`, which is called twice, because callers without a certificate may send less. The function that it gives ends that: every call is
   * unavailable at once, and what is still open after `graceMs` is cut; it resolves when all those connections are closed.
   */
  serve(routes: (router: ConnectRouter) => void): (graceMs: number) => Promise<void>;
  /**
   * Relays new connections to this manager, while nothing is served here; to nobody for undefined. Relays to another one
   * are cut. Where nothing is served and nobody relayed to, every call is unavailable.
   */
  passTo(leader: ManagerPlace | undefined): void;
  /** Answers the HTTP requests of other managers from now on. */
  onApi(handler: ApiHandler): void;
  /** Stops listening, ends all calls as unavailable, and cuts after `graceMs` what is still open. */
  close(graceMs: number): Promise<void>;
}

const HANDSHAKE_MAX_MS = 10_000;
/** Probes find a caller whose host lost its power while nothing is on the way to it. */
const LISTENING = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
/** What managers say to each other is never relayed: two that take each other for the leader would do it for ever. */
const OWN_PROTOCOLS: ReadonlySet<string> = new Set([RELAY_PROTOCOL, API_PROTOCOL]);

/**
 * Listens for agents, joiners and other managers: gRPC over mutual TLS, as SwarmKit's managers, and what managers say to
 * each other. Throws the error of `listen` (`EADDRINUSE` …).
 */
export async function startSwarmPort(options: SwarmPortOptions): Promise<SwarmPort> {
  const { log, relayTimes, relaysMax, handshakeMs = HANDSHAKE_MAX_MS } = options;
  let { credentials } = options;
  const sockets = new Set<Socket>();
  const relays = new Relays({
    credentials: () => credentials,
    log,
    ...(relayTimes ? { times: relayTimes } : {}),
    ...(relaysMax === undefined ? {} : { max: relaysMax }),
  });
  const door = new SwarmDoor({ ...options, handshakeMs });
  const server = createServer(LISTENING, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    if (door.isServing || !relays.leader) door.take(socket);
    else relayOrTake(socket, handshakeMs, relays, door);
  });
  try {
    server.listen({ ...options.listen });
    await once(server, 'listening');
  } catch (error) {
    server.close();
    door.close();
    throw error;
  }
  server.on('error', (error) => log.error({ error }, 'the swarm port failed'));

  return {
    port: (server.address() as AddressInfo).port,
    setCredentials: (next) => {
      credentials = next;
      door.setCredentials(next);
    },
    connections: () => sockets.size,
    serve: (routes) => {
      relays.passTo(undefined);
      return door.serve(routes);
    },
    passTo: (leader) => {
      // Who was refused for want of a leader comes back, and is relayed.
      if (relays.passTo(leader) && leader && !door.isServing) void door.endSessions(0);
    },
    onApi: (handler) => door.onApi(handler),
    close: async (graceMs) => {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      relays.passTo(undefined);
      door.close();
      void door.endSessions(graceMs);
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed.finally(() => clearTimeout(cut));
      sockets.clear();
      await door.closed();
    },
  };
}

function relayOrTake(socket: Socket, handshakeMs: number, relays: Relays, door: SwarmDoor): void {
  const isWhole = (seen: Buffer): boolean => readFirstBytes(seen).kind !== 'part';
  peek(socket, handshakeMs, isWhole, (seen) => {
    const first = readFirstBytes(seen);
    const take = (): void => door.take(socket);
    const isAgents = first.kind === 'hello' && !first.protocols.some((name) => OWN_PROTOCOLS.has(name));
    if (isAgents && !door.isServing) relays.take(socket, take);
    else take();
  });
}
