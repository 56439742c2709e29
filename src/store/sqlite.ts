import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SwarmError } from '../base/errors.ts';
import { writeBackup } from './backup.ts';
import { Leaving, rowOf, type LeavingState } from './leaving.ts';
import { openStateFile, sqliteReason, type StateFileOptions } from './sqlite-file.ts';
import { number } from './sqlite-schema.ts';
import type { Backend, Row, RowWrite } from './types.ts';

export interface SqliteBackend extends Backend {
  /**
   * Writes all that is committed to a new file (0600), whole or not at all. Commits wait meanwhile, and nothing else does. Throws
   * `conflict` when the file is there, `unavailable` when it can't be written.
   */
  backupTo(path: string): Promise<void>;
  /**
   * Has the state copied to another place while it is in use here; the file stays open beyond `close`, until the copy has ended. Throws
   * `conflict` while another copy goes on.
   */
  leave(): LeavingState;
}

/** The state in one SQLite file in `folder`; see openStateFile for what it throws. */
export function sqliteBackend(
  folder: string,
  options: Pick<StateFileOptions, 'layouts' | 'raise'> = {},
): SqliteBackend {
  const { database, path } = openStateFile(folder, options);
  return new SqliteState(database, path);
}

class SqliteState implements SqliteBackend {
  readonly where: string;
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #advance: StatementSync;
  /** A backup under way. */
  #backup: Promise<void> | undefined;
  /** A copy to another place under way. */
  #leaving: Leaving | undefined;
  #closed = false;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.where = path;
    this.#put = database.prepare(
      `INSERT INTO rows (tbl, id, json, payload) VALUES (?, ?, ?, ?)
       ON CONFLICT (tbl, id) DO UPDATE SET json = excluded.json, payload = excluded.payload`,
    );
    this.#remove = database.prepare('DELETE FROM rows WHERE tbl = ? AND id = ?');
    this.#advance = database.prepare('UPDATE commits SET revision = ? WHERE revision = ?');
  }

  async load(): Promise<{ revision: number; rows: Iterable<Row> }> {
    try {
      const revision = number(this.#database, 'SELECT revision FROM commits');
      return { revision, rows: allRows(this.#database) };
    } catch (error) {
      throw new Error(sqliteReason(error), { cause: error });
    }
  }

  commit(revision: number, writes: readonly RowWrite[]): void | Promise<void> {
    if (this.#backup === undefined) return this.#write(revision, writes);
    return this.#backup.then(
      () => this.commit(revision, writes),
      () => this.commit(revision, writes),
    );
  }

  #write(revision: number, writes: readonly RowWrite[]): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const row of writes) {
        if (row.json === null) this.#remove.run(row.table, row.id);
        else this.#put.run(row.table, row.id, row.json, row.payload ?? null);
      }
      const { changes } = this.#advance.run(revision, revision - 1);
      if (Number(changes) !== 1) throw new Error(`the state is not at revision ${revision - 1}`);
      this.#database.exec('COMMIT');
      this.#leaving?.wrote(writes);
    } catch (error) {
      this.#rollBack();
      throw new Error(sqliteReason(error), { cause: error });
    }
  }

  /** SQLite itself rolls back after some errors. */
  #rollBack(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  async backupTo(path: string): Promise<void> {
    while (this.#backup) await this.#backup.catch(() => undefined);
    if (this.#closed) throw new SwarmError('unavailable', 'the state is closed');
    this.#backup = writeBackup(this.#database, path);
    try {
      await this.#backup;
    } finally {
      this.#backup = undefined;
    }
  }

  /** Writes the file anew without what was overwritten in it, and its log away: neither has any of that then. */
  async scrub(): Promise<void> {
    while (this.#backup) await this.#backup.catch(() => undefined);
    if (this.#closed) throw new SwarmError('unavailable', 'the state is closed');
    // It would change the places of rows under whoever copies them.
    if (this.#leaving) throw new SwarmError('unavailable', 'the state is being moved');
    try {
      this.#database.exec('VACUUM');
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch (error) {
      throw new SwarmError('unavailable', `cannot clean '${this.where}': ${sqliteReason(error)}`, {
        cause: error,
      });
    }
  }

  leave(): LeavingState {
    if (this.#closed) throw new SwarmError('unavailable', 'the state is closed');
    if (this.#leaving) throw new SwarmError('conflict', 'the state is being moved already');
    this.#leaving = new Leaving(this.#database, {
      isClosed: () => this.#closed,
      onEnd: () => {
        this.#leaving = undefined;
        if (this.#closed) this.#database.close();
      },
    });
    return this.#leaving;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#backup?.catch(() => undefined);
    if (!this.#leaving) this.#database.close();
  }
}

/** Every row of a state. What it throws says what is wrong. */
export function* allRows(database: DatabaseSync): Iterable<Row> {
  try {
    for (const row of database.prepare('SELECT tbl, id, json, payload FROM rows').iterate()) yield rowOf(row);
  } catch (error) {
    throw new Error(sqliteReason(error), { cause: error });
  }
}
