import type { Times } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Manager, ManagerOptions } from '../manager/index.ts';
import type { Keyring, LoopContext } from '../store/index.ts';
import type { ApiHandler } from '../swarmkit/index.ts';
import type { livingManager } from './living-manager.ts';
import type { LocalEngine } from './local-engine.ts';
import type { ManagerPeers } from './manager-peers.ts';
import type { RecentEvents } from './recent-events.ts';
import type { LocalConfig, StateFolder } from './state-folder.ts';
import type { States } from './states.ts';

/** What the life of a swarm on this host works with. */
export interface LifeOptions {
  readonly folder: StateFolder;
  readonly states: States;
  /** What the states are opened with. */
  readonly keyring: Keyring;
  /** Rejects with the error of `listen` where the port is taken. */
  readonly startManager: (context: LoopContext, options: ManagerOptions) => Promise<Manager>;
  /** Managers of other hosts. */
  readonly peers: ManagerPeers;
  /** Answers what other managers pass on. */
  readonly onApi: ApiHandler;
  /** Instead of what the swarm's spec says. */
  readonly heartbeatNs?: number | undefined;
  readonly engine: LocalEngine;
  /** Waits until the engine, which has joined, can be found by others. Never rejects. */
  readonly untilGossip?: (local: LocalConfig) => Promise<void>;
  /** Where a manager of the swarm of a state that was restored answers; looked for on the network if nothing is said. */
  readonly livingManager?: typeof livingManager;
  /** Told of what happens in the swarm. */
  readonly events: RecentEvents;
  readonly times: Times;
  readonly log: Logger;
}
