import { chmodSync, closeSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import { LAYOUTS, type Layouts } from './layouts.ts';
import { checkedVersion, migrate } from './sqlite-schema.ts';

const FILE = 'state.db';
/** How long another process is waited for that has the state, and is ending perhaps. */
const BUSY_MS = 1_000;

export interface StateFile {
  readonly database: DatabaseSync;
  readonly path: string;
}

export interface StateFileOptions {
  /** Those that are known; this swarmd's if nothing is said. */
  readonly layouts?: Layouts;
  /** Of the rows of a new file, the newest if nothing is said. */
  readonly layout?: number;
  /** False where an older one is to stay as it is: nobody will write it. */
  readonly raise?: boolean;
}

/** Where the state lies in a state folder. */
export function statePath(folder: string): string {
  return join(folder, FILE);
}

/** Makes a folder that only its owner can look into; one that is there keeps its mode. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** Where a state that is about to be raised stays as it was: what the older swarmd restores, should it be wanted again. */
export function formerPath(folder: string, layout: number): string {
  return `${statePath(folder)}.layout-${layout}`;
}

/**
 * Opens the state in `folder`, making both where they are missing: the folder 0700, the file 0600. One of an older layout is raised to
 * the newest, and a copy of it as it was stays beside it. One process has it, until it is closed. Throws `unavailable` naming
 * the file and what is wrong; one of a newer layout is left as it is.
 */
export function openStateFile(
  folder: string,
  { layouts = LAYOUTS, layout = layouts.newest, raise = true }: StateFileOptions = {},
): StateFile {
  const path = statePath(folder);
  let database: DatabaseSync | undefined;
  try {
    makeFolder(folder);
    makePrivate(path);
    database = openExclusively(path);
    const version = checkedVersion(database, layouts);
    if (raise && version > 0 && version < layout) {
      database.exec('COMMIT');
      keepFormer(database, formerPath(folder, version));
      database.exec('BEGIN IMMEDIATE');
    }
    if (raise || version === 0) migrate(database, layout);
    database.exec('COMMIT');
    return { database, path };
  } catch (error) {
    database?.close();
    throw new SwarmError('unavailable', `cannot open the state '${path}': ${sqliteReason(error)}`, {
      cause: error,
    });
  }
}

/**
 * A connection to a file that nobody else has, within a transaction that writes; what SQLite itself refuses is thrown as it is.
 * SQLite's defaults would lose the last commits at a power cut.
 */
export function openExclusively(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_MS });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    // After a burst the log is cut back to this.
    database.exec(`PRAGMA journal_size_limit = ${16 * 1024 * 1024}`);
    // The first write takes the lock for good.
    database.exec('BEGIN IMMEDIATE');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Copies a database that is open to a file that has its name when it is whole; over one of before. */
function keepFormer(database: DatabaseSync, path: string): void {
  const draft = `${path}.partial`;
  rmSync(draft, { force: true });
  makePrivate(draft);
  database.prepare('VACUUM INTO ?').run(draft);
  renameSync(draft, path);
}

/** Makes the file where it is missing; SQLite gives its other files the mode of this one. */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    // Not opened: closing it would give up the locks that this process may have on it.
    chmodSync(path, 0o600);
  }
}

/** Whether another process, or another connection of this one, has the file. */
export function isLocked(error: unknown): boolean {
  return /locked|busy/i.test(messageOf(error));
}

/** What is wrong with a file of SQLite's, in a person's words. */
export function sqliteReason(error: unknown): string {
  if (isLocked(error)) return 'another process uses it; is swarmd running already?';
  if (/not a database|malformed/i.test(messageOf(error)))
    return `it is damaged (${messageOf(error)}); restore a backup, or move it away to begin anew`;
  return fileReason(error);
}
