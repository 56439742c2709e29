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
  /**
   * The engines now. Rejects with a SwarmError that says what could not be read, or which line of a person's list is
   * wrong; what a store has that is no address is left out (a watch names it).
   */
  list(options: { signal: AbortSignal }): Promise<readonly Entry[]>;
  /**
   * Yields at once, then at every change until the signal fires, which ends it without an error. The same trouble is
   * reported once, and a list after trouble is reported even where it did not change.
   */
  watch(options: { signal: AbortSignal }): AsyncIterable<DiscoveryEvent>;
  /**
   * Announces an engine for `ttlMs` from now on; calling it again prolongs. Rejects with `unsupported` where the form
   * cannot, else with why the service could not be told.
   */
  register(address: string, options: { ttlMs: number; signal: AbortSignal }): Promise<void>;
  /** A lock that all who use this discovery share; missing where the form has none. Dials nobody by itself. */
  lock?(options: LockOptions): Lock;
  /** Ends connections and background work; registrations are left to their ttl. */
  close?(): Promise<void>;
}

export interface LockOptions {
  /** Below `<prefix>/docker/swarm/`: `leader`, `rescheduler`, `names/web`. */
  name: string;
  /** What others read while it is held. */
  value: string;
  /** How long a holder that falls silent keeps it. */
  ttlMs: number;
}

export type Acquired = { kind: 'held' } | { kind: 'taken'; by: string };

/**
 * A place in the store that one process holds at a time, for as long as it renews. Whoever acquires or renews at a
 * moment t (the call's begin) has it for sure until t + ttlMs; a store that only knows longer times keeps it longer.
 * All operations reject with `unavailable` when the store does not answer; what then became of them is not known.
 */
export interface Lock {
  /** One try. Succeeds again for who holds it already. */
  acquire(options: { signal: AbortSignal }): Promise<Acquired>;
  /** False when it is lost for good: acquire anew. */
  renew(options: { signal: AbortSignal }): Promise<boolean>;
  /** Gives it up at once; nothing happens when it is not held. */
  release(options: { signal: AbortSignal }): Promise<void>;
  /**
   * The holder's value (undefined: nobody), at once and at every change, until the signal fires, which ends it without
   * an error. Throws `unavailable` when the store can't be followed; the caller begins again.
   */
  watch(options: { signal: AbortSignal }): AsyncIterable<string | undefined>;
}

/** What `--discovery-opt` says, files read. */
export interface StoreOptions {
  /** `kv.path`: instead of `docker/swarm/nodes`, below the prefix. */
  path?: string;
  /** PEM bytes of `kv.cacertfile`, `kv.certfile`, `kv.keyfile`. */
  tls?: { ca: Buffer; cert: Buffer; key: Buffer };
  /** `etcd.api`; found out where it is not given. */
  etcdApi?: 2 | 3;
  /** `token.url`, else SWARM_TOKEN_URL: http(s)://host:port of the token service. */
  tokenUrl?: string;
}
