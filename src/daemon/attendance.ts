import type { Times } from '../base/clock.ts';
import { backoffMs } from '../base/async.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { hostNode, type HostNode } from './host-node.ts';
import type { LocalEngine } from './local-engine.ts';
import type { ManagedSwarm } from './managed-swarm.ts';
import type { ManagerPeers, Means } from './manager-peers.ts';
import type { NodeCertificate } from './node-certificate.ts';
import type { WorkerPlace } from './balancer-memory.ts';

export interface AttendanceOptions {
  readonly engine: LocalEngine;
  readonly peers: ManagerPeers;
  readonly swarm: () => ManagedSwarm | undefined;
  /** How this host could keep the state. */
  readonly means: () => Promise<Means>;
  /** Has this host keep the state without managing, or no more; rejects where that fails. */
  readonly witness: (node: WorkerNode, wanted: boolean) => Promise<void>;
  /** Whether it does. */
  readonly isWitness: () => boolean;
  /** Told that this host, which does, is in that swarm no more. Never rejects. */
  readonly onLeft: () => Promise<void>;
  /** Has this host manage; rejects where that fails. */
  readonly become: (node: WorkerNode) => Promise<void>;
  readonly times: Times;
  readonly log: Logger;
}

/** This host as a node that manages nothing. */
export interface WorkerNode {
  readonly place: WorkerPlace;
  readonly certificate: NodeCertificate;
}

const LOOK_MS = 5_000;
/** Looks after a join, until the engine says which node it is. */
const LOOKS_AFTER_JOIN = 20;
/** Who is to be promoted right after a change of the leader is to be known by then. */
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [250, 3_000];

/**
 * While this host is a node and manages nothing, the managers know that its swarmd is there, and what it could be; it becomes a
 * manager when its node is to be one.
 */
export class Attendance {
  readonly #options: AttendanceOptions;
  #trouble = '';
  #asleep = new AbortController();
  #looksSoon = 0;

  constructor(options: AttendanceOptions) {
    this.#options = options;
  }

  /** This host's engine has just joined a swarm: the managers are to know of its swarmd at once. */
  joined(): void {
    this.#looksSoon = LOOKS_AFTER_JOIN;
    this.#asleep.abort();
  }

  /** Goes on until the signal fires. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { times, isWitness, onLeft } = this.#options;
    for (let failures = 0; !signal.aborted;) {
      this.#asleep = new AbortController();
      const found = await this.#found(signal);
      let waitMs = this.#looksSoon > 0 ? FIRST_RETRY_MS : LOOK_MS;
      this.#looksSoon = found?.kind === 'worker' ? 0 : Math.max(0, this.#looksSoon - 1);
      if (found?.kind === 'outside' && isWitness()) await onLeft();
      if (found?.kind === 'worker')
        try {
          await this.#attendWhile(found, signal);
          failures = 0;
          waitMs = FIRST_RETRY_MS;
        } catch (error) {
          this.#say(messageOf(error));
          failures += 1;
          waitMs = backoffMs(failures - 1, FIRST_RETRY_MS, LAST_RETRY_MS, Math.random);
        }
      await times.pause(waitMs, AbortSignal.any([signal, this.#asleep.signal]));
    }
  }

  async #found(signal: AbortSignal): Promise<HostNode | undefined> {
    const { engine, swarm } = this.#options;
    return swarm() ? undefined : hostNode({ swarm: undefined, engine, last: undefined }, signal);
  }

  /** A witness's engine may leave the swarm with nobody here knowing, and the managers keep the connection. */
  async #attendWhile(node: WorkerNode, signal: AbortSignal): Promise<void> {
    const { times, isWitness } = this.#options;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const looking = (async () => {
      for (let was = false; !either.aborted; was = isWitness()) {
        await times.pause(LOOK_MS, either);
        // Who is no witness any more asks anew what it is to be.
        const isOver = isWitness() ? (await this.#found(either))?.kind === 'outside' : was;
        if (isOver) over.abort();
      }
    })();
    try {
      await this.#attend(node, either);
    } finally {
      over.abort();
      await looking;
    }
  }

  /** Until the managers end it, or this host is to manage. */
  async #attend(node: WorkerNode, signal: AbortSignal): Promise<void> {
    const { peers, become, witness, means } = this.#options;
    for await (const wish of peers.attend(node, await means(), signal)) {
      this.#say('');
      if (!wish.manager) {
        await witness(node, wish.witness);
        continue;
      }
      await become(node);
      return;
    }
  }

  #say(trouble: string): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    if (trouble !== '')
      this.#options.log.debug({ reason: trouble }, 'The managers do not know of this swarmd');
  }
}
