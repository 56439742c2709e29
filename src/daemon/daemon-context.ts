import type { Times } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { ApiCall, ApiMinor } from '../docker-api/index.ts';
import type { Balancing } from './balancing.ts';
import type { LocalEngine } from './local-engine.ts';
import type { RecentEvents } from './recent-events.ts';
import type { AtLeader } from './at-leader.ts';
import type { ManagedSwarm } from './managed-swarm.ts';
import type { SwarmLife } from './swarm-life.ts';
import type { Target } from './target.ts';

/** What the daemon's own routes work with. */
export interface DaemonContext {
  readonly engine: LocalEngine;
  readonly life: SwarmLife;
  readonly balancing: Pick<Balancing, 'changed' | 'warnings' | 'examineWorker'>;
  /** This host's engine has joined a swarm as a worker. */
  readonly joined: () => void;
  readonly atLeader: AtLeader;
  readonly events: RecentEvents;
  readonly times: Times;
  readonly log: Logger;
  /** Fires when the daemon stops: who answers without an end should end. */
  readonly stopping: AbortSignal;
}

/** Answers one call. What it throws becomes the answer while none has been sent. */
export type DaemonHandler = (call: ApiCall, context: DaemonContext) => Promise<void>;

/** The same for calls that need a swarm of this host. */
export type ManagerHandler = (call: ApiCall, context: DaemonContext, swarm: ManagedSwarm) => Promise<void>;

/** Answers one call where it has something to add to the engine's answer; false leaves it all to the engine. */
export type BesideHandler = (call: ApiCall, context: DaemonContext, target: Target) => Promise<boolean>;

/** The oldest clients that are served: Docker 17.06. */
export const OLDEST_MINOR: ApiMinor = 30;
/** What is advertised before the engine ever answered: the version of the oldest engine that can be a node. */
export const FIRST_MINOR: ApiMinor = 41;
/** The newest version whose swarm routes are known. */
export const NEWEST_MINOR: ApiMinor = 52;
