/** The discovery forms a `<discovery>` argument can have. */
export const SCHEMES = ['token', 'consul', 'etcd', 'file', 'zk', 'nodes'] as const;
export type Scheme = (typeof SCHEMES)[number];

/** A `<discovery>` argument cut at its `://`. */
export interface DiscoverySpec {
  scheme: Scheme;
  /** What follows the scheme: addresses, a path or a token. */
  rest: string;
}

/** One engine: `host:port`, `[v6]:port` or `unix:///path`; always with its port. */
export interface Entry {
  address: string;
}

/** What a watch reports. After `trouble` the last list stays good. */
export type DiscoveryEvent =
  { kind: 'entries'; entries: readonly Entry[] } | { kind: 'trouble'; message: string };

/** Where the engines of a cluster are found. */
export interface Discovery {
  readonly scheme: Scheme;
  /** The engines now. Rejects with a SwarmError that says what could not be read, or which entry is wrong. */
  list(options: { signal: AbortSignal }): Promise<readonly Entry[]>;
  /**
   * Yields at once, then at every change until the signal fires, which ends it without an error. The same trouble is
   * reported once, and a list after trouble is reported even where it did not change.
   */
  watch(options: { signal: AbortSignal }): AsyncIterable<DiscoveryEvent>;
  /** Announces an engine. Rejects with `unsupported` where the form cannot. */
  register(address: string, options: { signal: AbortSignal }): Promise<void>;
}
