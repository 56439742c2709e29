import type { Logger } from 'pino';
import type { FilterName, StrategyName } from '../scheduler/index.ts';
import type { Discovery } from '../discovery/index.ts';

/** Where the manager listens. */
export type ListenAddress = { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string };

/**
 * Key material shared by the listener and by the connections to the engines. PEM bytes. The fields change in place when
 * the files are renewed: whoever connects reads them then, and keeps no copy.
 */
export interface TlsMaterial {
  ca?: Buffer;
  cert?: Buffer;
  key?: Buffer;
  /** Ask clients for a certificate of `ca`, and check the engines' certificates against it. */
  verify: boolean;
}

/** Everything `swarm manage` decides at its start; validated by the caller. */
export interface ManagerConfig {
  listen: readonly ListenAddress[];
  tls?: TlsMaterial;
  discovery: Discovery;
  /** Several managers, of which one leads: where the others reach this one, and how long a silent leader stays. */
  replication?: { advertise: string; ttlMs: number };
  strategy: StrategyName;
  filters: readonly FilterName[];
  /** 0.05 lets 5 % more be reserved than a node has. */
  overcommit: number;
  /** How often a create that failed at an engine is tried on another one. */
  createRetry: number;
  engineRefreshMinMs: number;
  engineRefreshMaxMs: number;
  /** Failures in a row that make an engine Unhealthy. */
  engineFailureRetry: number;
  /** Serve /debug. */
  debug: boolean;
  /** Answer `Access-Control-Allow-Origin: *`. */
  cors: boolean;
  /** Read the engines named by a `node=` filter anew before the list of containers is answered. */
  refreshOnNodeFilter: boolean;
  /** The value of a `name=` filter that has all engines read anew; empty for none. */
  containerNameRefreshFilter: string;
  version: string;
  commit: string;
  log: Logger;
}
