import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';
import { migrate } from './sqlite-schema.ts';

const FILE = 'state.db';
/** How long another process is waited for that has the state, and is ending perhaps. */
const BUSY_MS = 1_000;

export interface StateFile {
  readonly database: DatabaseSync;
  readonly path: string;
}

/** Where the state lies in a state folder. */
export function statePath(folder: string): string {
  return join(folder, FILE);
}

/** Makes a folder that only its owner can look into; one that is there keeps its mode. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/**
 * Opens the state in `folder`, making both where they are missing: the folder 0700, the file 0600; brings an older
 * layout up to date. One process has it, until it is closed. Throws `unavailable` naming the file and what is wrong.
 */
export function openStateFile(folder: string): StateFile {
  const path = statePath(folder);
  let database: DatabaseSync | undefined;
  try {
    makeFolder(folder);
    makePrivate(path);
    database = openExclusively(path);
    migrate(database);
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
