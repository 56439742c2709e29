import { Code, ConnectError } from '@connectrpc/connect';
import type { Node } from '../model/index.ts';
import type { AssignmentSet } from './assignment-set.ts';
import type { Deadline } from './deadlines.ts';
import { NOT_REGISTERED, Session, SESSION_INVALID, type Told } from './session.ts';

/** SwarmKit's: so many new sessions of a node in such a time. */
const RATE_MAX = 3;
const RATE_MS = 8000;

/** What is known of one node's agent. */
export interface Agent {
  readonly nodeId: string;
  /** Until it is called down; when it is, until its tasks are called orphaned. */
  readonly deadline: Deadline;
  /** Whether a deadline passed once already. */
  suspect: boolean;
  session?: Session | undefined;
  /** The open streams that the store has news for. */
  sessionStream?: Told | undefined;
  assignments?: AssignmentSet | undefined;
  /** Its node as it was last told in this session. */
  toldNode?: Node | undefined;
  /** New sessions since `registeredAtMs`. */
  registrations: number;
  registeredAtMs: number;
}

/** The agents of the nodes that the store has; no others, so that strangers take no memory. */
export class Agents {
  readonly #byNode = new Map<string, Agent>();
  readonly #deadlineOf: (nodeId: string) => Deadline;

  constructor(deadlineOf: (nodeId: string) => Deadline) {
    this.#deadlineOf = deadlineOf;
  }

  get(nodeId: string): Agent | undefined {
    return this.#byNode.get(nodeId);
  }

  all(): Iterable<Agent> {
    return this.#byNode.values();
  }

  /** The agent of a node that the store has. */
  of(nodeId: string): Agent {
    let agent = this.#byNode.get(nodeId);
    if (!agent) {
      const deadline = this.#deadlineOf(nodeId);
      agent = { nodeId, deadline, suspect: false, registrations: 0, registeredAtMs: -Infinity };
      this.#byNode.set(nodeId, agent);
    }
    return agent;
  }

  delete(nodeId: string): void {
    this.#byNode.delete(nodeId);
  }

  clear(): void {
    this.#byNode.clear();
  }

  /** The live session of that id. Throws as SwarmKit where there is none, or another. */
  withSession(nodeId: string, sessionId: string): { readonly agent: Agent; readonly session: Session } {
    const agent = this.#byNode.get(nodeId);
    const session = agent?.session;
    if (!agent || !session) throw NOT_REGISTERED();
    if (session.id !== sessionId) throw SESSION_INVALID();
    return { agent, session };
  }
}

/**
 * Goes on with the agent's session when it names it, as agents do that have renewed their certificate; else begins a new one,
 * which ends the older. Throws Unavailable for a node that does so too often.
 */
export function openSession(agent: Agent, sessionId: string, nowMs: number): Session {
  if (agent.session && agent.session.id === sessionId) return agent.session;
  if (nowMs - agent.registeredAtMs > RATE_MS) agent.registrations = 0;
  if (++agent.registrations > RATE_MAX)
    throw new ConnectError(
      `node ${agent.nodeId} exceeded rate limit count of registrations`,
      Code.Unavailable,
    );
  agent.registeredAtMs = nowMs;
  endSession(agent, SESSION_INVALID());
  agent.session = new Session();
  return agent.session;
}

export function endSession(agent: Agent, reason: ConnectError): void {
  const { session } = agent;
  agent.session = undefined;
  agent.sessionStream = undefined;
  agent.assignments = undefined;
  agent.toldNode = undefined;
  session?.end(reason);
}
