import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, type DatabaseSync } from 'node:sqlite';
import { SwarmError } from '../base/errors.ts';
import { sqliteReason } from './sqlite-file.ts';

/** All pages in one step, off this thread: the connection must not be written through meanwhile. */
const ALL_PAGES = 0x7fff_ffff;

/**
 * Copies a database that is open to a new file. The file has its name only when it is whole; until then it is there, empty, so
 * that nobody else takes the name.
 */
export async function writeBackup(database: DatabaseSync, path: string): Promise<void> {
  const draft = `${path}.partial-${randomBytes(4).toString('hex')}`;
  reserve(path);
  try {
    closeSync(openSync(draft, 'wx', 0o600));
    await backup(database, draft, { rate: ALL_PAGES });
    syncFile(draft);
    renameSync(draft, path);
    syncFile(dirname(path));
  } catch (error) {
    rmSync(draft, { force: true });
    rmSync(path, { force: true });
    throw new SwarmError('unavailable', `cannot write the backup '${path}': ${sqliteReason(error)}`, {
      cause: error,
    });
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
