import { messageOf } from '../base/errors.ts';
import { hasEnded, stateRank, type Node, type NodeDescription } from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import { isDeepStrictEqual } from 'node:util';
import { Agents, endSession, type Agent } from './agents.ts';
import { Deadline, Deadlines, TICK_MS } from './deadlines.ts';
import { NOT_REGISTERED } from './session.ts';

/** SwarmKit's, for a cluster that says nothing. */
const DEFAULT_PERIOD_MS = 5000;
/** How many heartbeats may be missed. */
const MISSED_MAX = 3;
/** Agents that are told the same period should not all come at once. */
const JITTER = 0.05;
/** After so long without an answer a stock agent gives up its session, and comes back with a backoff. */
const AGENTS_GIVE_UP_MS = 5000;
const NS_PER_MS = 1e6;

const WORDS = {
  /** SwarmKit's. */
  unknown: 'Node moved to "unknown" state due to leadership change in cluster',
  silent: 'heartbeat failure',
  neverBack: 'heartbeat failure for node in "unknown" state',
} as const;

export interface LivenessOptions {
  readonly managerId: string;
  readonly unknownGraceMs: number;
  readonly orphanAfterMs: number;
  readonly random: () => number;
}

/** Judges which nodes are alive, by their heartbeats alone, and writes it down. */
export class Liveness {
  readonly agents: Agents;
  readonly deadlines: Deadlines;
  readonly #context: LoopContext;
  readonly #options: LivenessOptions;

  constructor(context: LoopContext, options: LivenessOptions) {
    this.#context = context;
    this.#options = options;
    this.agents = new Agents((nodeId) => new Deadline(() => this.#expired(nodeId)));
    this.deadlines = new Deadlines(
      context.times,
      // Half a period: more than that missed, and a deadline of three could pass unheard.
      () => this.#periodMs() / 2,
      (ms) => this.#missed(ms),
    );
  }

  /** Calls nodes unknown that were not down, and gives them their grace. Never throws. */
  async start(): Promise<void> {
    const { store, log } = this.#context;
    const unknown: string[] = [];
    for (const { id, status } of store.view.all('node')) {
      const down = status.state === 'down';
      const { orphanAfterMs, unknownGraceMs } = this.#options;
      this.deadlines.set(this.agents.of(id).deadline, down ? orphanAfterMs : unknownGraceMs);
      if (!down) unknown.push(id);
    }
    try {
      await store.batch(unknown, (tx, id) => {
        const node = tx.get('node', id);
        if (!node || node.status.state === 'down') return;
        tx.update('node', {
          ...node,
          status: { ...node.status, state: 'unknown', message: WORDS.unknown },
        });
      });
    } catch (error) {
      log.error({ error: messageOf(error) }, 'nodes could not be called unknown');
    }
  }

  /** The agent was heard. Returns when it is to be heard again, in milliseconds. */
  heard(agent: Agent): number {
    const periodMs = this.#periodMs() * (1 + JITTER * (2 * this.#options.random() - 1));
    agent.suspect = false;
    this.deadlines.set(agent.deadline, periodMs * MISSED_MAX);
    return periodMs;
  }

  /** Whether the node's agent has been heard since the start, and is still. */
  isBack(nodeId: string): boolean {
    return this.agents.get(nodeId)?.session !== undefined;
  }

  /** Nothing answers at a node's host: what is left of its grace is not waited for. */
  giveUp(nodeId: string): void {
    const agent = this.agents.get(nodeId);
    if (!agent || agent.session) return;
    agent.suspect = true;
    this.deadlines.set(agent.deadline, 0);
  }

  /** Writes down that a node is ready, where its agent calls from, and what it says of itself; rejects when it can't be. */
  async ready(nodeId: string, addr: string, description: NodeDescription | undefined): Promise<void> {
    const { store } = this.#context;
    const told = (node: Node): Node => ({
      ...node,
      status: { state: 'ready', message: '', addr },
      ...(description ? { description } : {}),
    });
    const isNews = (node: Node | undefined): node is Node =>
      node !== undefined && !isDeepStrictEqual(told(node), node);
    if (!isNews(store.view.get('node', nodeId))) return;
    await store.update((tx) => {
      const node = tx.get('node', nodeId);
      if (isNews(node)) tx.update('node', told(node));
    });
  }

  #periodMs(): number {
    const periodMs = (this.#context.store.view.cluster()?.spec.heartbeatPeriodNs ?? 0) / NS_PER_MS;
    return periodMs > 0 ? periodMs : DEFAULT_PERIOD_MS;
  }

  /**
   * For a while nobody could be heard. Everybody gets a fresh grace; and where agents will have given up meanwhile,
   * the one that follows a start.
   */
  #missed(ms: number): void {
    this.#context.log.warn({ missedMs: Math.round(ms) }, 'the manager stood still; nodes get a fresh grace');
    const plain = this.#periodMs() * MISSED_MAX;
    const graceMs = ms < AGENTS_GIVE_UP_MS ? plain : Math.max(plain, this.#options.unknownGraceMs);
    for (const { deadline } of this.agents.all())
      if (deadline.atMs < Infinity) this.deadlines.extend(deadline, graceMs);
  }

  #expired(nodeId: string): void {
    const agent = this.agents.get(nodeId);
    if (!agent) return;
    const down = this.#context.store.view.get('node', nodeId)?.status.state === 'down';
    if (!agent.session && down) void this.#orphan(agent);
    else if (agent.suspect) void this.#lost(agent);
    else {
      // A heartbeat may have come that is only not read yet: what is waiting is read first.
      agent.suspect = true;
      this.deadlines.set(agent.deadline, TICK_MS);
    }
  }

  async #lost(agent: Agent): Promise<void> {
    const { store, log } = this.#context;
    const { nodeId } = agent;
    const message = agent.session ? WORDS.silent : WORDS.neverBack;
    endSession(agent, NOT_REGISTERED());
    try {
      await store.update((tx) => {
        const node = tx.get('node', nodeId);
        // It may be back already.
        if (!node || agent.session || node.status.state === 'down') return;
        tx.update('node', { ...node, status: { ...node.status, state: 'down', message } });
      });
      if (agent.session) return;
      log.warn({ node: nodeId }, `node is down: ${message}`);
      this.deadlines.set(agent.deadline, this.#options.orphanAfterMs);
    } catch (error) {
      log.error({ node: nodeId, error: messageOf(error) }, 'a node could not be called down');
      if (!agent.session) this.deadlines.set(agent.deadline, this.#periodMs());
    }
  }

  /** Nobody can say any more what became of the tasks of a node that was down for so long. */
  async #orphan({ nodeId, deadline }: Agent): Promise<void> {
    const { store, log, times } = this.#context;
    const tasks = [...store.view.tasksOfNode(nodeId)].filter(mayRun);
    try {
      await store.batch(tasks, (tx, { id }) => {
        const task = tx.get('task', id);
        if (!task || !mayRun(task) || tx.get('node', nodeId)?.status.state !== 'down') return;
        const nowMs = times.wallMs();
        const by = { appliedBy: this.#options.managerId, appliedAtMs: nowMs };
        tx.update('task', {
          ...task,
          status: { ...task.status, state: 'orphaned', timestampMs: nowMs, ...by },
        });
      });
      if (tasks.length > 0) log.warn({ node: nodeId, tasks: tasks.length }, 'tasks of a node are orphaned');
    } catch (error) {
      log.error({ node: nodeId, error: messageOf(error) }, 'tasks could not be called orphaned');
      this.deadlines.set(deadline, this.#periodMs());
    }
  }
}

function mayRun({
  status: { state },
}: {
  readonly status: { readonly state: Parameters<typeof hasEnded>[0] };
}): boolean {
  return stateRank(state) >= stateRank('assigned') && !hasEnded(state);
}
