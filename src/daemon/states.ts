import type { ShownManager, StoreAccess, StoreKeeping } from '../manager/index.ts';
import type { Leader, LeadTerm, LeadView, Store } from '../store/index.ts';
import type { Means } from './manager-peers.ts';
import type { LocalConfig, StoreKind } from './state-folder.ts';

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
  /** The other managers that are there, as they show themselves. */
  readonly others: readonly ShownManager[];
  /** Called after every change of `others`. Returns what ends it. */
  onOthers(listener: () => void): () => void;
  /** What keeps the state from being written or from being up to date, in words; undefined while nothing does. */
  readonly trouble: string | undefined;
  /** Whether more than half of its managers have to be there for it to be written. */
  readonly needsMajority: boolean;
  /** Copies all that is kept to a new file. */
  backupTo(path: string): Promise<void>;
  /** Gives the lead up, if this host has it, and ends. */
  close(): Promise<void>;
}

/** A state on its way to where several managers can share it; its rows are copied, and it is in use. */
export interface StateMove {
  /** Ends it; the state must be closed. Whether or not it rejects, `open` gives the state from where it is then. */
  finish(): Promise<void>;
}

/** Where states come from, as `--store` says. */
export interface States {
  /** What `manager.json` remembers: a host goes on with the store that it began with. */
  readonly kind: StoreKind;
  /** The newest layout of a state that is read here. */
  readonly layout: number;
  /** Whether there is one that this host alone would go on with, whatever else it remembers. */
  readonly hasOwn: boolean;
  /** Opens the state. Rejects with `not-found` where there is none, and with `unavailable` where it can't be read now. */
  open(): Promise<HostState>;
  /** Makes an empty one for a new swarm. Rejects with `conflict` where another swarm's is. */
  create(clusterId: string): Promise<HostState>;
  /** Opens that of a swarm which has let this host in, as its managers say. */
  enter(local: LocalConfig, access: StoreAccess | undefined): Promise<HostState>;
  /**
   * Begins to bring an open state, which is this host's alone, to where other managers can share it. Rejects where that can't be; the
   * state is as it was then.
   */
  move(local: LocalConfig, clusterId: string): Promise<StateMove>;
  /** The node as which this host keeps the state for managers elsewhere, and runs none; undefined where it does not. */
  readonly witnessId: string | undefined;
  /** It does no more, by the others' word; `forget` what it has of it. */
  readonly isReleased: boolean;
  /** Has it do so, as the managers say; without `access` it goes on where it does, at `local`’s address. Never waits for the others. */
  witness(local: LocalConfig | undefined, access?: StoreAccess): Promise<void>;
  /** Keeps what this host has as a manager that is none any more, if the others may want it, until they say. The state is closed. */
  stepDown(): Promise<void>;
  /** Has this host go on without the other managers that share the state, which are lost; `open` gives it then. */
  alone(): Promise<void>;
  /** The swarm whose state managers share in this store; '' where there is none, or none is shared. */
  sharedClusterId(): Promise<string>;
  /** This host's etcd, for a state that managers keep themselves. */
  etcd(): Promise<Omit<Means, 'layout' | 'storeClusterId'>>;
  /** Removes the state of a swarm whose last manager leaves; what lies in the state folder goes with that. */
  erase(clusterId: string): Promise<void>;
  /** Forgets what this host has of a state that others go on with. */
  forget(): Promise<void>;
  /** Ends what goes on without an open state. */
  close(): Promise<void>;
}
