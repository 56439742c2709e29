import type { Cluster, Kind, Objects, Service, Task } from '../model/index.ts';
import type { StateLock } from './seal/state-lock.ts';

/** Kinds that are found by a name which one object has at most. */
export type NamedKind = 'service' | 'network' | 'secret' | 'config';

/** What reads the state. Objects are never changed: keep them as long as you like. */
export interface View {
  /** Of the last commit; grows by 1 with each. */
  readonly revision: number;
  cluster(): Cluster | undefined;
  get<K extends Kind>(kind: K, id: string): Objects[K] | undefined;
  /** All of a kind; nothing may be awaited while it is walked. */
  all<K extends Kind>(kind: K): Iterable<Objects[K]>;
  count(kind: Kind): number;
  byName<K extends NamedKind>(kind: K, name: string): Objects[K] | undefined;
  tasksOfService(serviceId: string): Iterable<Task>;
  tasksOfNode(nodeId: string): Iterable<Task>;
  /** The services whose spec names that network, secret or config by id. */
  servicesUsing(kind: 'network' | 'secret' | 'config', id: string): Iterable<Service>;
}

/** An object that has no history yet. */
export type Fresh<K extends Kind> = Omit<Objects[K], 'meta'>;

/** Reads and writes within one update; reads see its own writes. */
export interface Tx extends View {
  /** The version that every object written here gets. */
  readonly nextVersion: number;
  /** Throws `conflict` when the id, or the name of a kind with unique names, is taken. */
  create<K extends Kind>(kind: K, object: Fresh<K>): Objects[K];
  /** Replaces the object with its id; its meta is set. Throws `not-found` when there is none. */
  update<K extends Kind>(kind: K, object: Objects[K]): Objects[K];
  /** False when there is none. */
  remove(kind: Kind, id: string): boolean;
}

/** One change, as it was committed. */
export type StoreEvent<K extends Kind = Kind> = {
  [P in K]:
    | {
        readonly kind: P;
        readonly type: 'create';
        readonly object: Objects[P];
        readonly previous?: undefined;
      }
    | {
        readonly kind: P;
        readonly type: 'update';
        readonly object: Objects[P];
        readonly previous: Objects[P];
      }
    /** `object` is what was removed. */
    | {
        readonly kind: P;
        readonly type: 'remove';
        readonly object: Objects[P];
        readonly previous?: undefined;
      };
}[K];

/** Told of every commit, in order, when its changes can be read; must neither throw nor await. */
export type Listener = (events: readonly StoreEvent[]) => void;

/** The most that one update may write, which is what etcd takes with its defaults. */
export const UPDATE_MAX_ROWS = 100;
export const UPDATE_MAX_BYTES = 1024 * 1024;

/**
 * The state of a swarm: held in memory, written through to where it lasts. Reads are of what is committed; updates
 * run one after the other, and resolve when they last.
 */
export interface Store {
  readonly view: View;
  /** The layout in which rows are kept: who manages has to read it. */
  readonly layout: number;
  /** What keeps the state at rest from being read. */
  readonly lock: StateLock;
  /**
   * Runs `change`, which must not await and may be run twice, and commits what it wrote: all of it or nothing. Nothing
   * is written when it throws, and the promise rejects with that. Throws `too-large` beyond UPDATE_MAX_ROWS or UPDATE_MAX_BYTES,
   * `unavailable` when it could not be made to last.
   */
  update<T>(change: (tx: Tx) => T): Promise<T>;
  /**
   * The same for each item, in as many commits as it takes: not atomic as a whole, and others' updates come between. Items are taken
   * when their turn comes. It stops at the first that fails: those before it are committed, those behind it not tried. Whoever
   * runs it again finds items done, so `change` looks at what is there.
   */
  batch<T>(items: Iterable<T>, change: (tx: Tx, item: T) => void): Promise<void>;
  /** Returns what ends it. */
  watch(listener: Listener): () => void;
  /**
   * Resolves when all is held that was committed before the call, by whomever; false where nobody can tell: reads go on with what is
   * held then, which may be old. Never rejects, and takes two seconds at most.
   */
  caughtUp(signal: AbortSignal): Promise<boolean>;
  /** Ends after what is under way; later updates reject with `unavailable`. */
  close(): Promise<void>;
}

/** One row as a backend keeps it. `payload` is raw bytes in a key of their own. */
export interface Row {
  readonly table: string;
  readonly id: string;
  /** JSON. */
  readonly json: string;
  readonly payload?: Uint8Array;
}

export type RowWrite = Row | { readonly table: string; readonly id: string; readonly json: null };

/** Where the state lasts. */
export interface Backend {
  /** For messages: a path or an address. */
  readonly where?: string;
  /** Everything, and the revision of the last commit; called once, first. Tables come in any order. */
  load(): Promise<{ readonly revision: number; readonly rows: Iterable<Row> }>;
  /** All or nothing; returns, or resolves, when it would survive a power cut. */
  commit(revision: number, writes: readonly RowWrite[]): void | Promise<void>;
  /** Removes what is left of what was overwritten; absent where that is another's to do. Rejects where it can't. */
  scrub?(): Promise<void>;
  close(): Promise<void>;
}
