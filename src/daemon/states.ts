import type { StoreKeeping } from '../manager/index.ts';
import type { Leader, LeadTerm, LeadView, Store } from '../store/index.ts';

/** The swarm's state as this host has it, alone or with other managers. */
export interface HostState {
  readonly store: Store;
  /** This host's alone: no other manager can share it. */
  readonly isOwn: boolean;
  /** Has this host take part in who leads, from now until it is closed. Called once. */
  takePart(self: Leader): LeadView;
  /** Makes the store one that this host writes, for a term; nothing where it is. */
  takeOver(term: LeadTerm): Promise<void>;
  readonly keeping: StoreKeeping;
  /** Whether a manager is there, as far as is known. */
  isThere(nodeId: string): boolean;
  /** What keeps the state from being written or from being up to date, in words; undefined while nothing does. */
  readonly trouble: string | undefined;
  /** Copies all that is kept to a new file. */
  backupTo(path: string): Promise<void>;
  /** Gives the lead up, if this host has it, and ends. */
  close(): Promise<void>;
}

/** Where states come from, as `--store` says. */
export interface States {
  /** What `manager.json` remembers: a host goes on with the store that it began with. */
  readonly kind: 'sqlite' | 'memory' | 'etcd';
  /** Whether there is one that this host alone would go on with, whatever else it remembers. */
  readonly hasOwn: boolean;
  /** Opens the state. Rejects with `not-found` where there is none, and with `unavailable` where it can't be read now. */
  open(): Promise<HostState>;
  /** Makes an empty one for a new swarm. Rejects with `conflict` where another swarm's is. */
  create(clusterId: string): Promise<HostState>;
  /** The swarm whose state managers share in this store; '' where there is none, or none is shared. */
  sharedClusterId(): Promise<string>;
  /** Removes the state of a swarm whose last manager leaves; what lies in the state folder goes with that. */
  erase(clusterId: string): Promise<void>;
}
