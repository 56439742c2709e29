import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { orAborted } from '../../base/async.ts';
import { messageOf } from '../../base/errors.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import type { Pool } from '../pool/pool.ts';
import { SWARM_ID_LABEL } from '../pool/reschedule-labels.ts';
import { askForName } from './ask-for-name.ts';
import type { CreateRequest } from './create-request.ts';

/** A create that an engine was sent and did not answer. */
export interface UnansweredCreate {
  readonly node: EngineNode;
  readonly request: CreateRequest;
  readonly release: ReleaseName;
}

/** Gives a name back; `known`: what became of the container that was to have it is. */
export type ReleaseName = (known?: boolean) => void;

export interface LeftoverTimes {
  /** How long a name is kept back for an engine that says nothing. */
  readonly keepMs: number;
  /** Between two looks at one engine. */
  readonly lookMs: number;
  /** How long an engine that lacks the container is not believed: what it was sent may still lie before it. */
  readonly doubtMs: number;
  /** An engine that lacks it for so long makes it no more. */
  readonly lastMs: number;
}

const REMOVE_TIMEOUT_MS = 10_000;
const TIMES: LeftoverTimes = { keepMs: 10_000, lookMs: 500, doubtMs: 1_000, lastMs: 120_000 };
/** Engines that are gone for good must not be waited for by more and more creates. */
const MAX_PENDING = 1_000;

/**
 * Containers that may be at an engine although no client was told of them: an engine that dies between making one and
 * answering, or one made by a manager that lost the lead meanwhile. What becomes of them is found out when their engine
 * answers again, so that a client that tries again does not end with two of one name. Kept in memory alone: a manager
 * that ends, or a node that leaves the pool, leaves what it has to whoever lists it.
 */
export class Leftovers {
  readonly #pool: Pool;
  readonly #log: Logger;
  readonly #times: LeftoverTimes;
  /** By name: settled when it is known what became of the create, or nobody waits for that any more. */
  readonly #open = new Map<string, Promise<void>>();
  #pending = 0;

  constructor(pool: Pool, log: Logger, times: LeftoverTimes = TIMES) {
    this.#pool = pool;
    this.#log = log;
    this.#times = times;
  }

  /** Waits while it is being found out whether a container has the name: `keepMs` at most, or until the signal. */
  async settled(name: string, signal: AbortSignal): Promise<void> {
    const open = this.#open.get(name);
    if (open) await orAborted(open, signal);
  }

  /**
   * Keeps the name of a create that was not answered until its engine says whether the container is there, or `keepMs`
   * are over. A container that turns up after that is removed if its name has been given again.
   */
  unanswered({ node, request, release }: UnansweredCreate): void {
    const { name, replaces } = request;
    if (name === '') {
      // The engine gave it a name of its own: it is in nobody's way.
      release();
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open.set(name, promise);
    let kept = true;
    const giveBack = (known: boolean): void => {
      if (!kept) return;
      kept = false;
      clearTimeout(late);
      this.#open.delete(name);
      release(known);
      resolve();
    };
    const late = setTimeout(() => giveBack(true), this.#times.keepMs).unref();
    let lackingSinceMs: number | undefined;
    const look = async (): Promise<boolean> => {
      const seen = await askForName(node, name);
      if (seen === 'silent') return false;
      if (seen === 'none' || seen.name !== name) {
        lackingSinceMs ??= performance.now();
        const lackingMs = performance.now() - lackingSinceMs;
        if (lackingMs >= this.#times.doubtMs) giveBack(true);
        return lackingMs >= this.#times.lastMs;
      }
      node.inventory.markContainer(seen.id);
      await this.#pool.settle([node]);
      const named = this.#pool.index.named(name);
      if (!named.some(({ id }) => id === seen.id)) return false;
      const givenAgain = named.some(({ id }) => id !== seen.id && id !== replaces?.id);
      if (!givenAgain || seen.swarmId !== request.facts.labels[SWARM_ID_LABEL]) return true;
      return this.#remove(node, seen.id, 'its name was given again while its engine was silent');
    };
    this.#untilDone(node, look, giveBack);
  }

  /** Removes a container that was made without the lead: now, or when its engine answers again. */
  async unwanted(node: EngineNode, id: string): Promise<void> {
    const attempt = (): Promise<boolean> => this.#remove(node, id, 'it was made without the lead');
    if (await attempt()) return;
    this.#log.warn(
      { id, node: node.name },
      'A container that was made without the lead is still to be removed',
    );
    this.#untilDone(node, attempt, () => undefined);
  }

  /** Tries while the node is in the pool, and tells whether that has led to an end; one that is lost is not asked. */
  #untilDone(node: EngineNode, attempt: () => Promise<boolean>, done: (known: boolean) => void): void {
    if (this.#pending >= MAX_PENDING) {
      done(false);
      return;
    }
    this.#pending += 1;
    const { keepMs, lookMs } = this.#times;
    const soonMs = performance.now() + keepMs;
    let known = false;
    const loop = async (): Promise<void> => {
      while (node.state !== 'Disconnected') {
        known = !node.lost && (await attempt());
        if (known) return;
        // Nobody waits any more.
        const waitMs = performance.now() < soonMs ? lookMs : lookMs * 10;
        await sleep(waitMs, undefined, { ref: false });
      }
    };
    void loop()
      .catch((error: unknown) =>
        this.#log.error({ err: messageOf(error) }, 'A leftover container was lost sight of'),
      )
      .finally(() => {
        this.#pending -= 1;
        done(known);
      });
  }

  /** Whether it is gone now, or is to stay: one that runs has found somebody who needs it. */
  async #remove(node: EngineNode, id: string, why: string): Promise<boolean> {
    const answer = await node.client
      .call(node.path(`/containers/${id}?v=1`), { method: 'DELETE', timeoutMs: REMOVE_TIMEOUT_MS })
      .catch(() => undefined);
    if (answer?.status === 409) return !/already in progress/.test(answer.body.toString('utf8'));
    if (answer?.status !== 204 && answer?.status !== 404) return false;
    node.inventory.remove(id);
    this.#log.warn({ id, node: node.name, why }, 'Removed a container that no client was told of');
    return true;
  }
}
