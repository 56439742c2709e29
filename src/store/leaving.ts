import type { DatabaseSync } from 'node:sqlite';
import { SwarmError } from '../base/errors.ts';
import { sqliteReason } from './sqlite-file.ts';
import { number, writeMoved } from './sqlite-schema.ts';
import type { Row, RowWrite } from './types.ts';

/** A state that is copied to another place, in use until it is there. */
export interface LeavingState {
  /** Of the last commit. */
  readonly revision: number;
  /** Of the rows. */
  readonly layout: number;
  /**
   * All rows, in pages, each as it is then: what is written meanwhile comes with `takeChanged`. Throws what SQLite says.
   */
  pages(): Iterable<readonly Row[]>;
  /** The rows that were written since `leave`, or since they were last taken: the last write of each. */
  takeChanged(): RowWrite[];
  /**
   * The last transaction of all: from here on the file is no state, and says where that is. Throws `conflict` where the state is still in
   * use, `unavailable` where it can't be written.
   */
  markMoved(mark: string): void;
  /** Ends the copy, whatever came of it. */
  end(): void;
}

interface Surroundings {
  /** Whether nobody writes to the state any more. */
  readonly isClosed: () => boolean;
  readonly onEnd: () => void;
}

const PAGE_ROWS = 500;

export class Leaving implements LeavingState {
  readonly #database: DatabaseSync;
  readonly #surroundings: Surroundings;
  readonly #changed = new Map<string, RowWrite>();
  #ended = false;

  constructor(database: DatabaseSync, surroundings: Surroundings) {
    this.#database = database;
    this.#surroundings = surroundings;
  }

  get revision(): number {
    return number(this.#database, 'SELECT revision FROM commits');
  }

  get layout(): number {
    return number(this.#database, 'PRAGMA user_version');
  }

  /** Told of every commit. */
  wrote(writes: readonly RowWrite[]): void {
    for (const row of writes) this.#changed.set(`${row.table}/${row.id}`, row);
  }

  *pages(): Generator<readonly Row[]> {
    // By their names: the file may be written anew meanwhile, and rows have other numbers then.
    const page = this.#database.prepare(
      `SELECT tbl, id, json, payload FROM rows WHERE (tbl, id) > (?, ?) ORDER BY tbl, id LIMIT ${PAGE_ROWS}`,
    );
    for (let last = { table: '', id: '' }; ;) {
      const rows = page.all(last.table, last.id).map(rowOf);
      const end = rows.at(-1);
      if (!end) return;
      yield rows;
      last = end;
    }
  }

  takeChanged(): RowWrite[] {
    const changed = [...this.#changed.values()];
    this.#changed.clear();
    return changed;
  }

  markMoved(mark: string): void {
    if (!this.#surroundings.isClosed()) throw new SwarmError('conflict', 'the state is still in use');
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      writeMoved(this.#database, mark);
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw new SwarmError('unavailable', `cannot write the state: ${sqliteReason(error)}`, { cause: error });
    }
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#surroundings.onEnd();
  }
}

/** A row as SQLite gives it. */
export function rowOf(row: Record<string, unknown>): Row {
  const { tbl, id, json, payload } = row as Record<string, string> & { payload: Uint8Array | null };
  return { table: String(tbl), id: String(id), json: String(json), ...(payload ? { payload } : {}) };
}
