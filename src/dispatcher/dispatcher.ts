import { Code, ConnectError, type ConnectRouter, type HandlerContext } from '@connectrpc/connect';
import {
  Dispatcher as DispatcherService,
  type AssignmentsMessage,
  type AssignmentsRequest,
  type HeartbeatRequest,
  type SessionMessage,
  type SessionRequest,
  type UpdateTaskStatusRequest,
} from '../../proto/generated/swarmkit/dispatcher_pb.js';
import type { LoopContext, StoreEvent } from '../store/index.ts';
import { callerAddr, descriptionFromWire, requireNode, whileRead } from '../swarmkit/index.ts';
import { assignmentStream, sessionStream } from './agent-streams.ts';
import { endSession, openSession, type Agent } from './agents.ts';
import { Attachments } from './attachments.ts';
import { Deadline } from './deadlines.ts';
import { Liveness } from './liveness.ts';
import { LogBroker } from './log-broker/log-broker.ts';
import { NOT_REGISTERED, SESSION_INVALID, STOPPED, type Session } from './session.ts';
import { applyReports } from './status-reports.ts';
import { giveUpSilentHosts } from './silent-hosts.ts';
import type { Dispatcher, DispatcherOptions, DispatcherWaits } from './types.ts';

const WAITS: DispatcherWaits = {
  unknownGraceMs: 30_000,
  orphanAfterMs: 24 * 60 * 60 * 1000,
  unreadMs: 30_000,
  gatherMs: 50,
};
/** Calls with reports that one agent may have under way; a stock agent has one. */
const REPORTING_MAX = 8;
const MS_PER_S = 1000;
const NS_PER_MS = 1_000_000;

/** What agents talk to: sessions, heartbeats, assignments, reports, logs. It holds nothing that a restart would lose. */
export function createDispatcher(context: LoopContext, options: DispatcherOptions): Dispatcher {
  return new SwarmDispatcher(context, options);
}

class SwarmDispatcher implements Dispatcher {
  readonly logs: LogBroker;
  readonly #context: LoopContext;
  readonly #options: DispatcherOptions;
  readonly #waits: DispatcherWaits;
  readonly #attachments: Attachments;
  /** While it runs. */
  #live: Liveness | undefined;

  constructor(context: LoopContext, options: DispatcherOptions) {
    this.#context = context;
    this.#options = options;
    this.#waits = { ...WAITS, ...options.waits };
    this.#attachments = new Attachments(context, () => this.#live !== undefined);
    this.logs = new LogBroker(context, (nodeId, call, messages) =>
      this.#subscriptions(nodeId, call, messages),
    );
  }

  routes(router: ConnectRouter): void {
    router.service(DispatcherService, {
      session: (request, call) => this.#session(request, call),
      heartbeat: (request, call) => this.#heartbeat(request, call),
      updateTaskStatus: (request, call) => this.#updateTaskStatus(request, call),
      assignments: (request, call) => this.#assignments(request, call),
    });
    this.#attachments.routes(router);
    this.logs.routes(router);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { managerId, random = Math.random } = this.#options;
    const live = new Liveness(this.#context, { ...this.#waits, managerId, random });
    const unwatch = this.#context.store.watch((events) => {
      for (const event of events) this.#route(event, live);
    });
    const unlisten = this.#options.stopGate?.onMayStop(({ id, nodeId }) =>
      live.agents.get(nodeId)?.assignments?.mayStop(id),
    );
    try {
      const ticking = live.deadlines.run(signal);
      await live.start();
      if (!signal.aborted) this.#live = live;
      const { isSilent } = this.#options;
      const calling = isSilent && giveUpSilentHosts(this.#context, live, isSilent, signal);
      await Promise.all([ticking, this.logs.run(signal), calling]);
    } finally {
      this.#live = undefined;
      unwatch();
      unlisten?.();
      for (const agent of live.agents.all()) {
        live.deadlines.clear(agent.deadline);
        endSession(agent, STOPPED());
      }
      live.agents.clear();
    }
  }

  connected(nodeId: string): boolean {
    return this.#live?.agents.get(nodeId)?.session !== undefined;
  }

  managersChanged(): void {
    for (const agent of this.#live?.agents.all() ?? []) agent.sessionStream?.touch();
  }

  /** Hands a change to the streams of the agents that it concerns; those of others are not looked at. */
  #route(event: StoreEvent, { agents, deadlines }: Liveness): void {
    switch (event.kind) {
      case 'task':
        agents.get(event.object.nodeId)?.assignments?.touch(event.object, event.type === 'remove');
        break;
      case 'node': {
        const agent = agents.get(event.object.id);
        if (!agent) break;
        if (event.type === 'remove') {
          agents.delete(agent.nodeId);
          deadlines.clear(agent.deadline);
          endSession(agent, NOT_REGISTERED());
        } else agent.sessionStream?.touch();
        break;
      }
      case 'cluster':
      case 'network':
        // Few and far between, and a message that would say nothing new is not sent.
        if (event.type === 'update' && concernsAll(event))
          for (const agent of agents.all()) agent.sessionStream?.touch();
        break;
      case 'service':
      case 'secret':
      case 'config':
      case 'seal':
    }
  }

  /** Throws as long as it does not run. */
  #running(): Liveness {
    if (!this.#live) throw STOPPED();
    return this.#live;
  }

  #caller(call: HandlerContext): string {
    return requireNode(call, this.#context.store.view).id;
  }

  async *#session(request: SessionRequest, call: HandlerContext): AsyncGenerator<SessionMessage> {
    const live = this.#running();
    const agent = live.agents.of(this.#caller(call));
    const session = openSession(agent, request.sessionId, this.#context.times.nowMs());
    const signal = session.take('session', call.signal);
    live.heard(agent);
    await live.ready(agent.nodeId, callerAddr(call), descriptionFromWire(request.description));
    if (signal.aborted) throw SESSION_INVALID();
    const { managers } = this.#options;
    const messages = sessionStream(this.#context, agent, session.id, managers, signal);
    yield* this.#whileRead(messages, live, agent, session, signal, call);
  }

  #heartbeat(
    request: HeartbeatRequest,
    call: HandlerContext,
  ): { period: { seconds: bigint; nanos: number } } {
    const live = this.#running();
    const { agent } = live.agents.withSession(this.#caller(call), request.sessionId);
    const periodMs = live.heard(agent);
    const seconds = Math.floor(periodMs / MS_PER_S);
    const nanos = Math.floor((periodMs - seconds * MS_PER_S) * NS_PER_MS);
    return { period: { seconds: BigInt(seconds), nanos } };
  }

  async #updateTaskStatus(
    request: UpdateTaskStatusRequest,
    call: HandlerContext,
  ): Promise<Record<string, never>> {
    const live = this.#running();
    const nodeId = this.#caller(call);
    const { session } = live.agents.withSession(nodeId, request.sessionId);
    if (session.reporting >= REPORTING_MAX)
      throw new ConnectError('too many reports at a time', Code.ResourceExhausted);
    session.reporting++;
    try {
      const { store, times } = this.#context;
      const { managerId } = this.#options;
      await applyReports(store, request, { nodeId, managerId, wallMs: times.wallMs() });
      return {};
    } finally {
      session.reporting--;
    }
  }

  async *#assignments(request: AssignmentsRequest, call: HandlerContext): AsyncGenerator<AssignmentsMessage> {
    const live = this.#running();
    const { agent, session } = live.agents.withSession(this.#caller(call), request.sessionId);
    const signal = session.take('assignments', call.signal);
    const { gatherMs } = this.#waits;
    const { stopGate } = this.#options;
    const messages = assignmentStream(this.#context, agent, { gatherMs, stopGate }, signal);
    yield* this.#whileRead(messages, live, agent, session, signal, call);
  }

  /** Of the agent's session too, so that who reads logs does not wait for a node that is down. */
  async *#subscriptions<T>(
    nodeId: string,
    call: HandlerContext,
    messages: (signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T> {
    const live = this.#running();
    const agent = live.agents.get(nodeId);
    if (!agent?.session) throw NOT_REGISTERED();
    const signal = agent.session.take('subscriptions', call.signal);
    yield* this.#whileRead(messages(signal), live, agent, agent.session, signal, call);
  }

  #whileRead<T>(
    messages: AsyncIterable<T>,
    { deadlines }: Liveness,
    agent: Agent,
    session: Session,
    signal: AbortSignal,
    call: HandlerContext,
  ): AsyncGenerator<T> {
    const { unreadMs } = this.#waits;
    const giveUp = (): void => {
      this.#context.log.warn({ node: agent.nodeId }, 'an agent does not read what it is sent');
      if (agent.session === session) endSession(agent, SESSION_INVALID());
    };
    const unread = new Deadline(giveUp);
    const left = (isLeft: boolean): void =>
      isLeft ? deadlines.set(unread, unreadMs) : deadlines.clear(unread);
    return whileRead(messages, left, signal, call.signal);
  }
}

/** Whether a change is one of what every agent is told. */
function concernsAll(event: StoreEvent & { readonly type: 'update' }): boolean {
  if (event.kind === 'network') return event.object.allocated !== event.previous.allocated;
  if (event.kind !== 'cluster') return false;
  const { object, previous } = event;
  return (
    object.networkKeys !== previous.networkKeys ||
    object.rootCa !== previous.rootCa ||
    object.dataPathPort !== previous.dataPathPort
  );
}
