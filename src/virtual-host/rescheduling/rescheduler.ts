import { backoffMs, pause } from '../../base/async.ts';
import { messageOf } from '../../base/errors.ts';
import type { EngineEvent } from '../../engine/index.ts';
import type { Context } from '../context.ts';
import type { Container } from '../pool/container.ts';
import type { EngineNode, NodeState } from '../pool/engine-node.ts';
import { SWARM_ID_LABEL } from '../pool/reschedule-labels.ts';
import { ALONE } from '../replication/leadership.ts';
import { Duplicates } from './duplicates.ts';
import { learnCopies } from './learn-copies.ts';
import { containersToMove, LostContainers, type LostContainer } from './lost-containers.ts';
import { findRoom, makeAgain, warnOfData } from './make-again.ts';
import { stillAnswers } from './still-answers.ts';

const IDLE_MS = 30_000;
const BUSY_MS = 1_000;
const FIRST_AGAIN_MS = 1_000;
const LAST_AGAIN_MS = 60_000;
/** How often a container is tried at most, whatever changes. */
const HURRY_MS = 250;
/** How long an engine may take to answer when it is asked again, at the most. */
const ANSWER_MS = 5_000;
const MADE_AT_ONCE = 8;
/** How long what is lost waits for duplicates to be removed, which may have its name where it goes. */
const REMOVE_PATIENCE_MS = 3_000;

/** Events after which what did not fit may fit. */
const FREEING = new Set(['destroy', 'die', 'update', 'pull', 'load', 'tag', 'create', 'start']);

/**
 * Makes the containers of lost nodes again on others, and removes what has been replaced when its node is back. Every
 * manager follows what is lost; the one that leads acts. A container is lost while its node is, and no copy of it is
 * complete; it is tried until then.
 */
export class Rescheduler {
  readonly #context: Context;
  readonly #lost = new LostContainers();
  readonly #duplicates: Duplicates;
  readonly #states = new Map<EngineNode, NodeState>();
  readonly #underWay = new Set<string>();
  #wake = new AbortController();
  /** No node answers. */
  #dark = true;
  #warnedOfOthers = false;
  #removing: Promise<void> | undefined;

  constructor(context: Context) {
    this.#context = context;
    this.#duplicates = new Duplicates(context);
  }

  /** Until the signal fires. Rejects never. */
  async run(signal: AbortSignal): Promise<void> {
    const { pool, rescheduler } = this.#context;
    const ends = [
      pool.onNodeChange((node) => this.#nodeChanged(node, signal)),
      pool.listen((node, event) => this.#heard(node, event)),
      rescheduler?.listen(() => this.#wake.abort()),
    ];
    try {
      while (!signal.aborted) {
        this.#wake = new AbortController();
        const woken = this.#wake.signal;
        try {
          await this.#pass(signal);
        } catch (error) {
          this.#context.config.log.error({ err: messageOf(error) }, 'Rescheduling failed');
        }
        const waitMs = this.#lost.size > 0 || this.#duplicates.pending ? BUSY_MS : IDLE_MS;
        await pause(waitMs, AbortSignal.any([signal, woken]));
      }
    } finally {
      for (const end of ends) end?.();
    }
  }

  #leads(): boolean {
    return this.#context.rescheduler?.leads() ?? false;
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const { pool } = this.#context;
    for (const node of pool.nodes()) if (node.state === 'Unhealthy') this.#take(node);
    this.#dropCompleted();
    if (!this.#leads()) return;
    await this.#removeDuplicates(signal);
    const nowMs = performance.now();
    const due = this.#lost
      .all()
      .filter((lost) => lost.dueMs <= nowMs && !this.#underWay.has(lost.swarmId))
      .slice(0, Math.max(0, MADE_AT_ONCE - this.#underWay.size));
    const fitting = due.filter((lost) => this.#hasRoom(lost));
    if (fitting.length === 0) return;
    await learnCopies(pool, new Set(fitting.map(({ swarmId }) => swarmId)));
    this.#dropCompleted();
    for (const lost of fitting) if (this.#lost.has(lost)) void this.#tryOne(lost, signal);
  }

  /** An engine that takes its time over it must not keep the lost containers of others waiting: it goes on by itself. */
  async #removeDuplicates(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    this.#removing ??= this.#duplicates
      .remove(
        () => this.#leads() && !signal.aborted,
        (swarmId) => this.#underWay.has(swarmId),
      )
      .catch((error: unknown) => {
        this.#context.config.log.error({ err: messageOf(error) }, 'Removing duplicate containers failed');
      })
      .finally(() => {
        this.#removing = undefined;
      });
    await Promise.race([this.#removing, pause(REMOVE_PATIENCE_MS, AbortSignal.any([signal, over.signal]))]);
    over.abort();
  }

  #hasRoom(lost: LostContainer): boolean {
    try {
      findRoom(this.#context, lost);
      return true;
    } catch (error) {
      lost.triedMs = performance.now();
      lost.refusers.clear();
      this.#failed(lost, messageOf(error));
      return false;
    }
  }

  /** Takes note of what a lost node has that is to be made again. */
  #take(node: EngineNode): void {
    const isKnown = (container: Container): boolean => this.#lost.knows(container);
    this.#add(node, containersToMove(node, performance.now(), isKnown));
  }

  #add(node: EngineNode, found: readonly LostContainer[]): void {
    if (found.length === 0) return;
    this.#lost.add(found);
    const { rescheduler, config } = this.#context;
    const said = { engine: node.address.text, node: found[0]?.nodeName, containers: found.length };
    if (rescheduler) config.log.warn(said, 'Node is lost: its containers are to be made again');
    else
      config.log.warn(
        said,
        'Node is lost, and its containers stay so: managers can not agree who makes them again',
      );
    if (rescheduler === ALONE && !this.#warnedOfOthers) {
      this.#warnedOfOthers = true;
      const { scheme } = config.discovery;
      config.log.warn(
        { discovery: scheme },
        'Managers over this discovery can not agree who makes lost containers again: with several, each does',
      );
    }
  }

  /** Those that another manager has made again, or that are on a node that is back. */
  #dropCompleted(): void {
    const { copies } = this.#context.pool.index;
    for (const lost of this.#lost.all()) {
      const { container, running, swarmId } = lost;
      if (this.#underWay.has(swarmId)) continue;
      const counting = copies.counting(container);
      const isCopy = counting && counting.id !== container.id && !counting.node.lost;
      if (isCopy && !(running && counting.state === 'created')) this.#lost.delete(lost);
    }
  }

  async #tryOne(lost: LostContainer, signal: AbortSignal): Promise<void> {
    const { config, rescheduler } = this.#context;
    if (!rescheduler) return;
    const { container, nodeName, swarmId } = lost;
    this.#underWay.add(swarmId);
    lost.triedMs = performance.now();
    const refused = lost.refusers.size;
    try {
      const trying = { leadership: rescheduler, signal, isLost: () => this.#lost.has(lost) };
      const copy = await makeAgain(this.#context, lost, trying);
      this.#lost.delete(lost);
      const said = {
        name: container.name,
        from: nodeName,
        to: copy.node.name,
        former: container.id,
        id: copy.id,
      };
      config.log.info(said, 'Rescheduled container');
      this.#context.metrics.reschedules.inc({ result: 'moved' });
      warnOfData(this.#context, lost);
      // Others may depend on it.
      this.#lost.hurry(HURRY_MS);
    } catch (error) {
      // Where nothing else is left, what has refused it is tried again.
      if (lost.refusers.size === refused) lost.refusers.clear();
      this.#failed(lost, messageOf(error));
    } finally {
      this.#underWay.delete(swarmId);
      this.#wake.abort();
    }
  }

  #failed(lost: LostContainer, err: string): void {
    const { log } = this.#context.config;
    const said = { name: lost.container.name, from: lost.nodeName, err };
    if (!this.#lost.has(lost) || !this.#leads()) {
      log.debug(said, 'Container is not made again');
      return;
    }
    this.#context.metrics.reschedules.inc({ result: 'failed' });
    lost.dueMs = performance.now() + backoffMs(lost.tries, FIRST_AGAIN_MS, LAST_AGAIN_MS, Math.random);
    lost.tries += 1;
    // The engine's words for an address of a network that somebody else has; for a port they begin in small letters.
    if (err.includes('Address already in use')) lost.withoutAddresses = true;
    if (err === lost.trouble) log.debug(said, 'Container could not be rescheduled');
    else log.warn(said, 'Container could not be rescheduled, and is tried again');
    lost.trouble = err;
  }

  #nodeChanged(node: EngineNode, signal: AbortSignal): void {
    const former = this.#states.get(node);
    if (former === node.state) return;
    this.#states.set(node, node.state);
    switch (node.state) {
      case 'Unhealthy':
        this.#take(node);
        break;
      case 'Healthy':
        this.#lost.returned(node.id);
        this.#lost.hurry(HURRY_MS);
        if (this.#dark) this.#light();
        break;
      case 'Disconnected':
        this.#states.delete(node);
        if (former === 'Healthy' && !signal.aborted)
          void this.#lookAfter(node, containersToMove(node, performance.now()), signal);
        break;
      case 'Pending':
        break;
    }
    if (this.#context.pool.healthy().length === 0) this.#dark = true;
    this.#wake.abort();
  }

  /**
   * The first node answers after none did: it was this manager that was cut off, or the power of all. The others get
   * their time to come back before their containers are all made again on the first.
   */
  #light(): void {
    const { pool } = this.#context;
    this.#dark = false;
    this.#lost.hold(performance.now() + pool.settings.refreshMaxMs + ANSWER_MS);
    for (const node of pool.nodes()) if (node.lost) node.suspect();
  }

  /**
   * Discovery names a node no more that seemed well. When its engine answers, somebody took it out of the pool, and its
   * containers with it; when it does not, it died before anybody noticed.
   */
  async #lookAfter(node: EngineNode, found: readonly LostContainer[], signal: AbortSignal): Promise<void> {
    if (found.length === 0) return;
    const alive = await stillAnswers(this.#context.pool, node, signal);
    if (alive) {
      const said = { engine: node.address.text, containers: found.length };
      this.#context.config.log.info(said, 'Engine left the pool alive: its containers stay where they are');
      return;
    }
    if (signal.aborted) return;
    this.#add(node, found);
    this.#wake.abort();
  }

  #heard(_node: EngineNode, event: EngineEvent): void {
    const action = event.Action ?? '';
    const { registryAuths, pool } = this.#context;
    if (event.Type === 'container' && action === 'destroy') {
      const swarmId = event.Actor?.Attributes?.[SWARM_ID_LABEL] ?? '';
      const isOver = (): boolean => !pool.index.copies.knows(swarmId) && !this.#lost.hasId(swarmId);
      if (registryAuths.get(swarmId) !== undefined && isOver()) registryAuths.delete(swarmId);
    }
    if (this.#lost.size === 0 || !FREEING.has(action)) return;
    this.#lost.hurry(HURRY_MS);
  }
}
