import type { Acquired, Lock } from '../base/lock.ts';

export type { Acquired, Lock };

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
