import type { IncomingMessage } from 'node:http';
import { connect, isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { hostOf, portOf } from '../base/host-port.ts';
import { messageOf, SwarmError } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';
import { fetchRoot } from '../ca/index.ts';
import type { SwarmJoinRequest } from '../control/index.ts';
import type { StoreAccess, StoreMember } from '../manager/index.ts';
import type { Availability } from '../model/index.ts';
import type { Leader } from '../store/index.ts';
import {
  connectJoining,
  connectLeaderApi,
  connectManagers,
  type LeaderApi,
  type SwarmCredentials,
} from '../swarmkit/index.ts';
import type { WorkerNode } from './attendance.ts';
import type { ManagedSwarm } from './managed-swarm.ts';
import type { LocalConfig } from './state-folder.ts';
import { hostPort } from './swarm-addresses.ts';

/** A request for another manager. */
export interface PeerRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: Buffer;
}

/** What a host is told that was let in as a manager. */
export interface Admitted {
  /** '' for a node whose engine is in already. */
  readonly engineToken: string;
  /** '' where the state is not locked. */
  readonly unlockKey: string;
  /** Undefined where this host reaches the state by its own options. */
  readonly access: StoreAccess | undefined;
  /** For the user. */
  readonly warnings: readonly string[];
}

/** How a host could keep the state of several managers. */
export interface Means {
  /** Of its etcd; '' where none is installed that will do. */
  readonly etcdVersion: string;
  /** The swarm whose state is in the store that it was started with; '' where it has none. */
  readonly storeClusterId: string;
  /** The newest layout of the state that it reads. */
  readonly layout: number;
  /** What keeps it from having a member of the managers' etcd, in words; '' where nothing does. */
  readonly obstacle: string;
  readonly storeMember: StoreMember;
}

/** What became of a wish to manage. */
export type Joined =
  | { readonly kind: 'worker' }
  | ({
      readonly kind: 'manager';
    } & Admitted);

/** A manager that was found by its address, and whose root is the one of the token. */
export interface FoundManager {
  /** This host's own, as that manager sees it. */
  readonly localAddress: string;
  /** Rejects with what stands in the way, in words for the user. */
  join(request: {
    readonly local: LocalConfig;
    readonly means: Means;
    readonly availability: Availability;
  }): Promise<Joined>;
  /** Has the row of a host that was let in removed again, as long as it has not begun to manage. */
  withdraw(local: LocalConfig): Promise<void>;
}

/** What a node of the swarm is to be. */
export interface Wish {
  readonly manager: boolean;
  /** It is to keep the state, and to run no manager. */
  readonly witness: boolean;
}

const CONNECT_MS = 3_000;
/** For a state that is on its way to where another manager can share it. */
const MOVE_MS = 120_000;
/** A leader that is lost is followed sooner, if it can be. */
const LEADERLESS_MS = 8_000;
const ASK_AGAIN_MS = 500;
/** What a call ends with whose connection did. */
const CUT: readonly Code[] = [Code.Aborted, Code.Canceled, Code.Internal, Code.Unknown];
const MOST_CUT = 5;
const WITHDRAW_MS = 10_000;
const SWARM_PORT = 2377;
/** What managers say, in words that others know them by: Docker's, and `soleKeeping`'s. */
const LEADERLESS = 'The swarm does not have a leader';
const ON_ITS_WAY = 'on its way to an etcd';

/** The managers of other hosts, as this one speaks to them. */
export class ManagerPeers {
  readonly #swarm: () => ManagedSwarm | undefined;
  /** The leader's, as it was known last. */
  #api: LeaderApi | undefined;

  constructor(swarm: () => ManagedSwarm | undefined) {
    this.#swarm = swarm;
  }

  /** Has another manager answer a request. Rejects with a LeaderRequestError. */
  send(
    { id, addr }: Leader,
    { body, ...request }: PeerRequest,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { place } = this.#api ?? {};
    if (place?.nodeId !== id || place.addr !== addr) {
      this.#api?.close();
      this.#api = connectLeaderApi({ nodeId: id, addr }, { credentials: () => this.#credentials() });
    }
    const api = this.#api as LeaderApi;
    return api.request({ ...request, body: body ?? null, signal });
  }

  close(): void {
    this.#api?.close();
  }

  #credentials(): SwarmCredentials {
    const swarm = this.#swarm();
    if (!swarm) throw new SwarmError('unavailable', 'this host manages no swarm');
    return swarm.manager.credentials;
  }

  /**
   * The first manager at these addresses that has the token's root; undefined where there is none. Rejects with `unavailable` where
   * one is there, and for some seconds none leads.
   */
  async find(request: SwarmJoinRequest): Promise<FoundManager | undefined> {
    for (const endMs = performance.now() + LEADERLESS_MS; ;) {
      const found = await this.#findNow(request);
      if (!(found instanceof SwarmError)) return found;
      if (performance.now() > endMs) throw found;
      await sleep(ASK_AGAIN_MS);
    }
  }

  /** The same, asked once: where none leads, what that one says. */
  async #findNow({ remoteAddrs, token }: SwarmJoinRequest): Promise<FoundManager | SwarmError | undefined> {
    let leaderless: SwarmError | undefined;
    for (const remote of remoteAddrs) {
      const addr = addressOf(remote);
      if (addr === undefined) continue;
      try {
        const rootPem = await fetchRoot(addr, token);
        const localAddress = await localAddressTo(addr);
        return {
          localAddress,
          join: (request) => join(addr, rootPem, token, request),
          withdraw: (local) => withdraw(addr, rootPem, token, local),
        };
      } catch (error) {
        // Of all else the engine says in its own words what is wrong.
        if (error instanceof SwarmError && error.message.includes(LEADERLESS)) leaderless = error;
      }
    }
    return leaderless;
  }

  /** Tells the managers that a node's swarmd is there, and what it is to be. Ends with the connection. */
  async *attend(
    { place, certificate }: WorkerNode,
    means: Means,
    signal: AbortSignal,
  ): AsyncGenerator<Wish, void, undefined> {
    for (const addr of place.managers) {
      const link = connectManagers(addr, certificate);
      try {
        const candidate = candidateOf(
          hostPort({ host: await localAddressTo(addr), port: SWARM_PORT }),
          means,
        );
        for await (const { manager, witness } of link.client.attend({ candidate }, { signal }))
          yield { manager, witness };
        return;
      } catch (error) {
        if (signal.aborted || addr === place.managers.at(-1)) throw error;
      } finally {
        link.close();
      }
    }
  }

  /** Makes this host's node, which is to be one, a manager, or a witness. Rejects with what stands in the way, in words for the user. */
  async become(
    { place, certificate }: WorkerNode,
    local: LocalConfig,
    means: Means,
    how: { readonly witness?: boolean; readonly keepsMember?: boolean } = {},
  ): Promise<Admitted> {
    const candidate = candidateOf(hostPort(local.advertise), means);
    const ask = async (): Promise<Admitted> => {
      let last: unknown = new SwarmError('unavailable', 'no manager is known');
      for (const addr of place.managers) {
        const link = connectManagers(addr, certificate);
        try {
          return admissionOf(await link.client.become({ candidate, ...how }));
        } catch (error) {
          last = error;
        } finally {
          link.close();
        }
      }
      throw last;
    };
    return patiently(ask).catch((error: unknown) => {
      throw inWords(error);
    });
  }

  /** This host's address on the way to another one. */
  localAddress(addr: string): Promise<string> {
    return localAddressTo(addr);
  }
}

async function join(
  addr: string,
  rootPem: string,
  token: string,
  { local, means, availability }: Parameters<FoundManager['join']>[0],
): Promise<Joined> {
  const candidate = candidateOf(hostPort(local.advertise), means);
  const request = { token, nodeId: local.nodeId, candidate, availability };
  const ask = async () => {
    const link = connectJoining(addr, rootPem);
    try {
      return await link.client.join(request);
    } finally {
      link.close();
    }
  };
  try {
    const answer = await patiently(ask);
    return answer.nodeId === '' ? { kind: 'worker' } : { kind: 'manager', ...admissionOf(answer) };
  } catch (error) {
    // The engine has Docker's words for a token that is wrong, and for a swarm that is none of ours.
    const code = ConnectError.from(error).code;
    if (code === Code.InvalidArgument || code === Code.Unimplemented) return { kind: 'worker' };
    throw inWords(error);
  }
}

async function withdraw(addr: string, rootPem: string, token: string, local: LocalConfig): Promise<void> {
  const link = connectJoining(addr, rootPem);
  try {
    const candidate = { addr: hostPort(local.advertise) };
    await link.client.join(
      { token, nodeId: local.nodeId, candidate, withdraw: true },
      { timeoutMs: WITHDRAW_MS },
    );
  } finally {
    link.close();
  }
}

function admissionOf({
  engineToken,
  unlockKey,
  store,
  warnings,
}: {
  readonly engineToken: string;
  readonly unlockKey: string;
  readonly warnings: readonly string[];
  readonly store?: StoreAccess;
}): Admitted {
  return { engineToken, unlockKey, access: store, warnings };
}

/**
 * Asks again while nobody can answer: there is no leader for a moment, or the state is being moved, which takes longer. What is asked
 * can be asked twice.
 */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const begunMs = performance.now();
  let endMs = begunMs + LEADERLESS_MS;
  for (let cut = 0; ;)
    try {
      return await ask();
    } catch (error) {
      const { code, rawMessage } = ConnectError.from(error);
      if (rawMessage.includes(ON_ITS_WAY)) endMs = begunMs + MOVE_MS;
      if (CUT.includes(code)) cut += 1;
      else if (code !== Code.Unavailable) throw error;
      if (cut > MOST_CUT || performance.now() > endMs) throw error;
      await sleep(ASK_AGAIN_MS);
    }
}

function candidateOf(addr: string, means: Means) {
  return { addr, ...means, version: VERSION };
}

function inWords(error: unknown): SwarmError {
  if (error instanceof SwarmError) return error;
  const { code, rawMessage } = ConnectError.from(error);
  const refused = code === Code.FailedPrecondition || code === Code.PermissionDenied;
  return new SwarmError(refused ? 'conflict' : 'unavailable', rawMessage, { cause: error });
}

/** `host[:port]` as Docker takes it. */
function addressOf(remote: string): string | undefined {
  const text = remote.replace(/^tcp:\/\//, '');
  if (isIP(text) === 6) return `[${text}]:${SWARM_PORT}`;
  return /:\d+$/.test(text) ? text : text === '' ? undefined : `${text}:${SWARM_PORT}`;
}

/** This host's address on the way to another one. */
async function localAddressTo(addr: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host: hostOf(addr), port: portOf(addr), timeout: CONNECT_MS });
  socket.once('connect', () => resolve(socket.localAddress ?? ''));
  socket.once('timeout', () => reject(new Error('no answer')));
  socket.once('error', reject);
  try {
    return await promise;
  } catch (error) {
    throw new SwarmError('unavailable', `manager ${addr}: ${messageOf(error)}`, { cause: error });
  } finally {
    socket.destroy();
  }
}
