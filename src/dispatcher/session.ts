import { Code, ConnectError } from '@connectrpc/connect';
import { newId } from '../base/ids.ts';

export type StreamKind = 'session' | 'assignments' | 'subscriptions';

/** Why a session or one of its streams ended, as its agent is told. SwarmKit's words and codes. */
export const SESSION_INVALID = (): ConnectError => new ConnectError('session invalid', Code.InvalidArgument);
export const NOT_REGISTERED = (): ConnectError => new ConnectError('node not registered', Code.NotFound);
export const STOPPED = (): ConnectError => new ConnectError('dispatcher is stopped', Code.Aborted);

/** A stream that looks again at what it has to tell. */
export interface Told {
  touch(): void;
}

/**
 * The tie to one agent. That its streams end means nothing: agents end them in normal life. It lasts until its
 * heartbeats stop, a newer one takes its place, or its node is removed.
 */
export class Session {
  readonly id = newId();
  /** Fires when the session ends; its reason is what the agent is told. */
  readonly signal: AbortSignal;
  readonly #end = new AbortController();
  readonly #streams = new Map<StreamKind, AbortController>();
  /** Calls with reports that are not yet written down. */
  reporting = 0;

  constructor() {
    this.signal = this.#end.signal;
  }

  end(reason: ConnectError): void {
    this.#end.abort(reason);
    this.#streams.clear();
  }

  /**
   * The only stream of its kind from now on: an older one ends. The signal fires when this one is to end, because of
   * that, the session's end, or `gone`.
   */
  take(kind: StreamKind, gone: AbortSignal): AbortSignal {
    this.signal.throwIfAborted();
    this.#streams.get(kind)?.abort(SESSION_INVALID());
    const own = new AbortController();
    this.#streams.set(kind, own);
    return AbortSignal.any([own.signal, this.signal, gone]);
  }
}
