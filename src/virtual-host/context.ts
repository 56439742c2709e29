import type { ApiCall } from '../docker-api/index.ts';
import type { ManagerConfig } from './config.ts';
import type { Calls } from './system/calls.ts';
import type { Metrics } from './system/metrics.ts';
import type { BuildSessions } from './images/build-sessions.ts';
import type { ExecIndex } from './containers/exec-index.ts';
import type { NetworkKeeper } from './networks/networks-keeper.ts';
import type { Placer } from './containers/placer.ts';
import type { Pool } from './pool/pool.ts';
import type { Leftovers } from './containers/leftovers.ts';
import type { ContainerNames } from './containers/names.ts';
import type { Forwarder } from './replication/forward.ts';
import type { Leadership } from './replication/leadership.ts';
import type { RegistryAuths } from './rescheduling/registry-auths.ts';

/** What the handlers of the API work with; one for a manager's life. */
export interface Context {
  readonly config: ManagerConfig;
  /** Whether this manager answers by itself and places, or passes everything on to the one that does. */
  readonly leadership: Leadership;
  /**
   * Whether this manager is the one that makes lost containers again: `leads()` is asked before each is made.
   * Undefined where no two managers can agree on that: nothing is made again then, with a warning.
   */
  readonly rescheduler: Leadership | undefined;
  readonly pool: Pool;
  readonly placer: Placer;
  readonly names: ContainerNames;
  readonly leftovers: Leftovers;
  /** Passes on to the primary what a replica does not answer; missing without `--replication`. */
  readonly forwarder: Forwarder | undefined;
  readonly execs: ExecIndex;
  readonly builds: BuildSessions;
  readonly networks: NetworkKeeper;
  /** The registry credentials of creates, for containers that may have to be made again. */
  readonly registryAuths: RegistryAuths;
  readonly calls: Calls;
  readonly metrics: Metrics;
}

/** Answers one call. What it throws becomes the answer while none has been sent. */
export type Handler = (call: ApiCall, context: Context) => Promise<void> | void;
