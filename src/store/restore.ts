import { copyFileSync, constants, existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, SwarmError } from '../base/errors.ts';
import { syncFile } from './backup.ts';
import { LAYOUTS, type Layouts } from './layouts.ts';
import { RowCodec } from './rows.ts';
import {
  isLocked,
  makeFolder,
  makePrivate,
  openExclusively,
  sqliteReason,
  statePath,
} from './sqlite-file.ts';
import { Keyring, LockedError } from './seal/keyring.ts';
import { openedRows } from './seal/sealed-rows.ts';
import { checkedVersion, number } from './sqlite-schema.ts';
import { allRows } from './sqlite.ts';

/** What belongs to a state beside its file. */
const COMPANIONS = ['-wal', '-shm', '-journal'];

export interface RestoreOptions {
  /** Replaces a state that is there; the former one stays beside it as `state.db.replaced`. */
  readonly force?: boolean;
  readonly layouts?: Layouts;
}

/**
 * Makes a backup the state in `folder`. The backup is copied and read through before anything is replaced, and the copy takes its
 * place in one step. Throws `invalid` when it is no whole state that this version knows, `conflict` when a state is
 * there and it is not forced, or a process has it, `unavailable` when a file can't be read or written.
 */
export function restoreFrom(file: string, folder: string, options: RestoreOptions = {}): void {
  const path = statePath(folder);
  const draft = `${path}.restoring`;
  try {
    if (hasState(path) && options.force !== true)
      throw new SwarmError('conflict', `a state is in '${folder}' already; nothing was changed`);
    makeFolder(folder);
    removeWithCompanions(draft);
    copyFileSync(file, draft, constants.COPYFILE_EXCL);
    makePrivate(draft);
    check(draft, file, options.layouts ?? LAYOUTS);
    syncFile(draft);
    const release = hasState(path) ? takeAway(path) : undefined;
    renameSync(draft, path);
    release?.();
    syncFile(folder);
  } catch (error) {
    if (error instanceof SwarmError) throw error;
    throw new SwarmError('unavailable', `cannot restore '${file}' to '${folder}': ${sqliteReason(error)}`, {
      cause: error,
    });
  } finally {
    removeWithCompanions(draft);
  }
}

function hasState(path: string): boolean {
  return existsSync(path) || existsSync(`${path}-wal`);
}

/** Reads all of it; leaves it as one file without companions. */
function check(draft: string, file: string, layouts: Layouts): void {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(draft);
    database.exec('PRAGMA journal_mode = DELETE');
    if (checkedVersion(database, layouts) === 0) throw new Error('it is not a state of swarmd');
    const found = database.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check'];
    if (found !== 'ok') throw new Error(`it is damaged (${String(found)})`);
    readThrough(database, layouts);
    if (number(database, "SELECT count(*) AS n FROM rows WHERE tbl = 'cluster'") === 0)
      throw new Error('there is no swarm in it');
  } catch (error) {
    const reason = /not a database|malformed/i.test(messageOf(error))
      ? `it is no database, or damaged (${messageOf(error)})`
      : messageOf(error);
    throw new SwarmError('invalid', `'${file}' cannot be restored: ${reason}`, { cause: error });
  } finally {
    database?.close();
  }
}

/** Reads all rows; those of a sealed state can't be judged without its key. Throws for what is damaged. */
function readThrough(database: DatabaseSync, layouts: Layouts): void {
  try {
    new RowCodec().decodeAll(layouts.raised(openedRows(allRows(database), new Keyring())));
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
  }
}

/** Keeps the former state under another name and its place free of companions; returns what gives up its lock. */
function takeAway(path: string): () => void {
  const kept = `${path}.replaced`;
  let database: DatabaseSync | undefined;
  try {
    database = openExclusively(path);
    database.exec('ROLLBACK');
    // Its log goes into the file, so that it is whole without one.
    database.exec('PRAGMA journal_mode = DELETE');
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (isLocked(error))
      throw new SwarmError('conflict', `the state '${path}' is in use; stop swarmd first`, { cause: error });
    // Damaged: kept as it is, log and all.
    removeWithCompanions(kept);
    for (const end of ['', ...COMPANIONS]) if (existsSync(path + end)) renameSync(path + end, kept + end);
    return () => undefined;
  }
  const open = database;
  removeWithCompanions(kept);
  linkSync(path, kept);
  return () => open.close();
}

function removeWithCompanions(path: string): void {
  for (const end of ['', ...COMPANIONS]) rmSync(path + end, { force: true });
}
