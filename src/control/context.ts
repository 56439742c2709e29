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
  /** The logs of tasks, wherever they run. */
  readonly logs: LogSubscriber;
  /** Whether the kernel beside this manager can encrypt overlay networks; undefined where that is not known. */
  readonly canEncrypt?: () => Promise<boolean | undefined>;
  /** Absent where nothing is known of how nodes answer. */
  readonly mesh?: MeshKnowledge;
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

export interface Route {
  readonly method: string;
  readonly pattern: string;
  readonly handler: Handler;
}
