import { existsSync, rmSync } from 'node:fs';
import { SwarmError } from '../../base/errors.ts';
import { asNumber, asObject, asString } from '../../base/json.ts';
import type { LeavingState } from '../leaving.ts';
import { openExclusively, sqliteReason, statePath } from '../sqlite-file.ts';
import { readMoved } from '../sqlite-schema.ts';
import type { SqliteBackend } from '../sqlite.ts';
import type { EtcdClient } from './client.ts';
import { keyCount } from './row-values.ts';
import { StateCopy, type StatePlace } from './state-copy.ts';

/** What a state that moved says of where it is. */
export interface MovedTo extends StatePlace {
  /** At which it is there. */
  readonly revision: number;
  /** Of its rows. */
  readonly layout: number;
  /** The copy's, with which it is made the state. */
  readonly progress: string;
}

/** When so few rows are left, the rest can be copied while nobody writes. */
const FEW_ROWS = 500;
/** A state that is written faster than it is copied is stopped at last. */
const ROUNDS = 10;

/**
 * Moves a state from SQLite to an etcd. While it is in use its rows are copied, then those that changed meanwhile, until they are few.
 * Then its store is closed, and the last ones follow. That it has moved is decided by one transaction of SQLite's, after all rows
 * are in etcd; the one of etcd's that makes them the state comes behind it, and can be done by whoever starts next. So a
 * crash at any step ends on one side: without the mark SQLite has the state and the copy is nothing; with it, etcd has.
 */
export class Move {
  readonly #leaving: LeavingState;
  readonly #copy: StateCopy;
  readonly #place: StatePlace;

  private constructor(leaving: LeavingState, copy: StateCopy, place: StatePlace) {
    this.#leaving = leaving;
    this.#copy = copy;
    this.#place = place;
  }

  /** Begins one. Rejects with `conflict` where another state is there, or another move goes on. */
  static async begin(
    from: SqliteBackend,
    client: EtcdClient,
    place: StatePlace,
    signal: AbortSignal,
  ): Promise<Move> {
    const leaving = from.leave();
    try {
      const copy = new StateCopy(client, place);
      await copy.begin(signal);
      return new Move(leaving, copy, place);
    } catch (error) {
      leaving.end();
      throw error;
    }
  }

  /** Copies while the state is in use; resolves when what is left is little. After a rejection: `abandon`. */
  async copy(signal: AbortSignal): Promise<void> {
    for (const rows of this.#leaving.pages()) await this.#copy.write(rows, signal);
    for (let round = 0; round < ROUNDS; round++) {
      const changed = this.#leaving.takeChanged();
      await this.#copy.write(changed, signal, { over: true });
      if (changed.length <= FEW_ROWS) return;
    }
  }

  /**
   * Copies the rest, and has etcd hold the state; the store must be closed. Where it rejects, `movedTo` says who has it: SQLite, to be
   * opened again, or etcd, where `finishMove` does the rest.
   */
  async finish(signal: AbortSignal): Promise<void> {
    try {
      await this.#copy.write(this.#leaving.takeChanged(), signal, { over: true });
      await this.#check(signal);
      const { progress } = this.#copy;
      const { revision, layout } = this.#leaving;
      const { prefix, clusterId } = this.#place;
      const moved: MovedTo = { prefix, clusterId, revision, layout, progress };
      this.#leaving.markMoved(JSON.stringify(moved));
      await this.#copy.publish(moved, signal);
    } finally {
      this.#leaving.end();
    }
  }

  /** SQLite keeps the state; what was copied is removed by the next move. */
  abandon(): void {
    this.#leaving.end();
  }

  async #check(signal: AbortSignal): Promise<void> {
    let keys = 0;
    for (const rows of this.#leaving.pages()) for (const row of rows) keys += keyCount(row);
    const there = await this.#copy.count(signal);
    if (there !== keys)
      throw new SwarmError('internal', `the copy of the state has ${there} keys, not ${keys}`);
  }
}

/** Where the state of this folder is, if it has moved; undefined where SQLite has it, or there is none. Throws `unavailable`. */
export function movedTo(folder: string): MovedTo | undefined {
  const path = statePath(folder);
  if (!existsSync(path)) return undefined;
  try {
    const database = openExclusively(path);
    try {
      const mark = readMoved(database);
      database.exec('ROLLBACK');
      // The mark may be in the log alone; the file is to have it, also without.
      if (mark !== undefined) database.exec('PRAGMA journal_mode = DELETE');
      return mark === undefined ? undefined : placeOf(mark);
    } finally {
      database.close();
    }
  } catch (error) {
    throw new SwarmError('unavailable', `cannot open the state '${path}': ${sqliteReason(error)}`, {
      cause: error,
    });
  }
}

/** Does what is left to do of a move that was cut off behind its decision; nothing where nothing is left. */
export async function finishMove(moved: MovedTo, client: EtcdClient, signal: AbortSignal): Promise<void> {
  await new StateCopy(client, moved, moved.progress).publish(moved, signal);
}

/** Removes the file of a state that has moved, which etcd was seen to have. Nothing happens where SQLite has it. */
export function forgetMoved(folder: string): void {
  if (movedTo(folder) === undefined) return;
  rmSync(statePath(folder), { force: true });
}

function placeOf(mark: string): MovedTo {
  const { prefix, clusterId, revision, layout, progress } = asObject(JSON.parse(mark));
  return {
    prefix: asString(prefix),
    clusterId: asString(clusterId),
    revision: asNumber(revision),
    layout: asNumber(layout),
    progress: asString(progress),
  };
}
