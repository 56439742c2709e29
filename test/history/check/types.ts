/**
 * What became of a write: `acknowledged` and `refused` are certain; `unknown` is everything else (a connection that
 * broke, no answer in time, an error that does not say). What is unknown may have been done, or may be done later.
 */
export type Outcome = 'acknowledged' | 'refused' | 'unknown';

interface Asked {
  /** Unlike that of every other write; what it writes carries it. */
  readonly mark: string;
  readonly table: 'service' | 'secret';
  /** On the clients' one clock, in milliseconds. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** Which manager was asked. */
  readonly manager: number;
  readonly outcome: Outcome;
  /** The words of an answer that was an error; undefined where there was none. */
  readonly said?: string;
}

export interface Creation extends Asked {
  readonly kind: 'create';
  /** What the answer said; '' where it was not acknowledged. */
  readonly id: string;
}

export interface Update extends Asked {
  readonly kind: 'update';
  readonly id: string;
  /** The version that the object had to have for it. */
  readonly base: number;
}

export interface Removal extends Asked {
  readonly kind: 'remove';
  readonly id: string;
}

export type Write = Creation | Update | Removal;

/** An object as a manager showed it. */
export interface Seen {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  /** That of the write that made it what it is; '' for a task. */
  readonly mark: string;
  /** Published for all of the swarm: `80/tcp`. */
  readonly ports: readonly string[];
  /** What it holds: a network's id and an address of it. */
  readonly addresses: readonly string[];
}

/** One whole list, as one manager showed it in one answer. */
export interface Sight {
  readonly table: 'service' | 'secret' | 'task';
  readonly beganMs: number;
  readonly endedMs: number;
  readonly manager: number;
  /** Counts the starts of the manager's process. */
  readonly life: number;
  /** Whether the answer said of itself that it may be old. */
  readonly isStale: boolean;
  readonly objects: readonly Seen[];
}

/** How far the state had come, as an answer said that a manager passed on. */
export interface Revision {
  readonly beganMs: number;
  readonly endedMs: number;
  readonly manager: number;
  readonly life: number;
  readonly revision: number;
}

/** A service at the end, and what there is of it. */
export interface Kept {
  readonly id: string;
  readonly name: string;
  readonly replicas: number;
  /** Its tasks that are to run: whether they do, and as it now asks. */
  readonly tasks: readonly { readonly id: string; readonly runs: boolean; readonly isNew: boolean }[];
}

/** What was there when all had been healed and nothing changed any more. */
export interface End {
  /** Each table at each manager. */
  readonly sights: readonly Sight[];
  readonly services: readonly Kept[];
  /** The tasks whose containers run, as the engines themselves say. */
  readonly containers: readonly string[];
}

export interface History {
  readonly writes: readonly Write[];
  readonly sights: readonly Sight[];
  readonly revisions: readonly Revision[];
  readonly end: End;
}
