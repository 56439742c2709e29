import type { LogSubscriber } from '../dispatcher/index.ts';
import type { ApiCall } from '../docker-api/index.ts';
import type { LoopContext } from '../store/index.ts';
import type { MeshKnowledge } from './mesh-knowledge.ts';

/** What the routes of swarm mode work with. */
export interface ControlContext extends LoopContext {
  /** The id of the node that this manager's host is; '' while it is in no swarm. */
  readonly nodeId: string;
  /** The engine beside this manager. */
  readonly engine: EnginePort;
  /** Several managers, of which this one is. */
  readonly managers: ManagersView;
  /** The logs of tasks, wherever they run. */
  readonly logs: LogSubscriber;
  /** Whether the kernel beside this manager can encrypt overlay networks; undefined where that is not known. */
  readonly canEncrypt?: () => Promise<boolean | undefined>;
  /** Absent where nothing is known of how nodes answer. */
  readonly mesh?: MeshKnowledge;
}

/** The managers as this one sees them. */
export interface ManagersView {
  /** The node of the one that leads; undefined while none is known. */
  readonly leaderId: string | undefined;
  /** Whether a manager is there, as far as is known. */
  isThere(nodeId: string): boolean;
  /** Why a node can't be made a manager, in words; undefined where it can. Known to the leader, a moment after it began to lead. */
  whyNoManager(nodeId: string): Promise<string | undefined>;
  /** Why a manager can't be made a worker now, in words; undefined where it can. */
  whyKept(nodeId: string): Promise<string | undefined>;
  /**
   * While another one leads: has it answer a request. Every status is a value; throws `unavailable` where there is no leader.
   */
  readonly leader?: (
    request: { readonly method: string; readonly path: string; readonly body?: unknown },
    signal: AbortSignal,
  ) => Promise<{ readonly status: number; readonly value: unknown }>;
}

/** Requests to the local engine. */
export interface EnginePort {
  /**
   * Sends a request with the newest version that the engine speaks and reads its JSON (undefined where it sends none).
   * Every status is a value; throws `unavailable` or `timeout` when there is no answer.
   */
  json(
    method: string,
    path: string,
    body?: unknown,
    options?: { readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal },
  ): Promise<{ readonly status: number; readonly value: unknown }>;
}

/** Answers one call. What it throws becomes the answer while none has been sent. */
export type Handler = (call: ApiCall, context: ControlContext) => Promise<void>;

type Answering = 'asked' | 'leader';

export interface Route {
  readonly method: string;
  readonly pattern: string;
  /**
   * Which of several managers answers it: the one that was asked, or the one that leads; it may depend on what is asked. Where nothing
   * is said, the leader answers all but reads.
   */
  readonly at?: Answering | ((call: ApiCall) => Answering);
  readonly handler: Handler;
}
