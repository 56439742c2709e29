import type { ConnectRouter } from '@connectrpc/connect';
import type { StopGate } from '../model/index.ts';
import type { LogSubscriber } from './log-broker/types.ts';
import type { IsSilent } from './silent-hosts.ts';

/** A manager as agents are to know it: `addr` is `host:port` of the swarm's port. */
export interface ManagerAddress {
  readonly nodeId: string;
  readonly addr: string;
}

/** How long the dispatcher waits for agents. All may be left out. */
export interface DispatcherWaits {
  /** After a start, before a node that does not come back is called down; SwarmKit gives 30 s. */
  readonly unknownGraceMs: number;
  /** After a node went down, before its tasks are called orphaned; SwarmKit gives 24 h. */
  readonly orphanAfterMs: number;
  /** How long an agent may leave a message of a stream unread before its session ends. */
  readonly unreadMs: number;
  /** How long changes are gathered after a message with assignments, before the next. */
  readonly gatherMs: number;
}

export interface DispatcherOptions {
  /** The node that this manager is; a task's status names it as who wrote it. */
  readonly managerId: string;
  /** Never empty: an agent forgets every manager that is not listed. */
  readonly managers: () => readonly ManagerAddress[];
  /** Without one, a task's node is told at once to stop it. */
  readonly stopGate?: StopGate;
  /** Without it, nodes that do not come back after a start are waited for as long as `unknownGraceMs` says. */
  readonly isSilent?: IsSilent;
  readonly waits?: Partial<DispatcherWaits>;
  readonly random?: () => number;
}

/** The side of a manager that agents talk to. */
export interface Dispatcher {
  /** Adds the services Dispatcher, ResourceAllocator and LogBroker of SwarmKit's protocol. Calls are refused while it does not run. */
  routes(router: ConnectRouter): void;
  /**
   * Takes sessions and judges who is alive until the signal fires; then all sessions end. Nodes that were not down
   * are called unknown first. Runs again after it ended.
   */
  run(signal: AbortSignal): Promise<void>;
  /** What tasks said, from the nodes that ran them. */
  readonly logs: LogSubscriber;
  /** Whether the node's agent has a session. */
  connected(nodeId: string): boolean;
  /** To be called when what `managers` returns has changed. */
  managersChanged(): void;
}
