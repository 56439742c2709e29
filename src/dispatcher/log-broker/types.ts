/** Whose logs: every task that any of these lists names. */
export interface LogSelector {
  readonly serviceIds?: readonly string[];
  readonly nodeIds?: readonly string[];
  readonly taskIds?: readonly string[];
}

export interface LogOptions {
  /** Empty or absent for both. */
  readonly streams?: readonly ('stdout' | 'stderr')[];
  /** Goes on with what is said later, also by tasks that start later. */
  readonly follow: boolean;
  /** The last lines of each task only; absent for all, 0 for none. */
  readonly tail?: number;
  /** Milliseconds since 1970; nothing older. */
  readonly sinceMs?: number;
  /**
   * By node, nanoseconds since 1970: where a reader that was cut off goes on. Of these nodes come all lines that are not older, whatever
   * else is said of what is older.
   */
  readonly goOnFrom?: ReadonlyMap<string, bigint>;
}

/** A piece of what a task said: as a rule one line, with its end. */
export interface LogLine {
  readonly serviceId: string;
  readonly nodeId: string;
  readonly taskId: string;
  /** Nanoseconds since 1970, as the engine noted it. */
  readonly timestampNs: bigint;
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
  readonly attrs: readonly { readonly key: string; readonly value: string }[];
}

export interface LogSubscriber {
  /**
   * Lines as the nodes send them; in order for each task only. Without `follow` it ends when every node that has
   * tasks of it has sent all. Rejects with `invalid` when the selector is empty, and at the end with `unavailable` and
   * SwarmKit's "warning: incomplete log stream. …" when some lines could not be had. Whoever stops reading, or
   * fires the signal, unsubscribes at every node.
   */
  subscribe(selector: LogSelector, options: LogOptions, signal: AbortSignal): AsyncIterable<LogLine>;
}
