import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, type DatabaseSync } from 'node:sqlite';
import { SwarmError } from '../base/errors.ts';
import type { Layouts } from './layouts.ts';
import { openStateFile, sqliteReason, statePath } from './sqlite-file.ts';
import type { Row } from './types.ts';

/** All pages in one step, off this thread: the connection must not be written through meanwhile. */
const ALL_PAGES = 0x7fff_ffff;

/**
 * Copies a database that is open to a new file. The file has its name only when it is whole; until then it is there, empty, so
 * that nobody else takes the name.
 */
export async function writeBackup(database: DatabaseSync, path: string): Promise<void> {
  await named(path, async (draft) => {
    closeSync(openSync(draft, 'wx', 0o600));
    await backup(database, draft, { rate: ALL_PAGES });
    return draft;
  });
}

/** Writes the rows of a state that is kept in an etcd, which have that layout, to a backup as one of SQLite's is: restored alike. */
export async function writeRowsBackup(
  {
    revision,
    layout,
    rows,
  }: { readonly revision: number; readonly layout: number; readonly rows: Iterable<Row> },
  path: string,
  layouts: Layouts,
): Promise<void> {
  await named(path, (folder) => {
    const { database } = openStateFile(folder, { layouts, layout });
    try {
      database.exec('BEGIN');
      const put = database.prepare('INSERT INTO rows (tbl, id, json, payload) VALUES (?, ?, ?, ?)');
      for (const { table, id, json, payload } of rows) put.run(table, id, json, payload ?? null);
      database.prepare('UPDATE commits SET revision = ?').run(revision);
      database.exec('COMMIT');
      // One file, without a log.
      database.exec('PRAGMA journal_mode = DELETE');
    } finally {
      database.close();
    }
    return statePath(folder);
  });
}

/** Has a file made under another name, from which it gets its own when it is whole; returns where it lies until then. */
async function named(path: string, make: (draft: string) => string | Promise<string>): Promise<void> {
  const draft = `${path}.partial-${randomBytes(4).toString('hex')}`;
  reserve(path);
  try {
    const made = await make(draft);
    syncFile(made);
    renameSync(made, path);
    syncFile(dirname(path));
  } catch (error) {
    rmSync(path, { force: true });
    throw new SwarmError('unavailable', `cannot write the backup '${path}': ${sqliteReason(error)}`, {
      cause: error,
    });
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function reserve(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw new SwarmError('conflict', `'${path}' is there already; a backup replaces nothing`);
    throw new SwarmError('unavailable', `cannot write the backup '${path}': ${sqliteReason(error)}`, {
      cause: error,
    });
  }
}

/** Makes a file, or the names in a folder, survive a power cut. */
export function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
