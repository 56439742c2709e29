import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { messageOf, SwarmError } from '../base/errors.ts';
import { fileReason } from '../base/file-reason.ts';

const FILE = 'discovery.db';
const SCHEMA_VERSION = 1;
const BUSY_MS = 1_000;

/** Times are on the service's own clock, which stands still while the service is down. */
const SCHEMA = `
  CREATE TABLE data (id TEXT NOT NULL) STRICT;
  INSERT INTO data VALUES (lower(hex(randomblob(8))));
  CREATE TABLE registrations (
    token TEXT NOT NULL,
    address TEXT NOT NULL,
    ttl_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (token, address)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX registrations_by_expiry ON registrations (expires_ms);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * Opens the database in `folder`, making both where they are missing: the folder 0700, the file 0600. One process has
 * it. Throws `unavailable` naming what cannot be used and why.
 */
export function openDatabase(folder: string): { database: DatabaseSync; path: string } {
  const path = join(folder, FILE);
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // SQLite gives its other files the mode of this one.
    closeSync(openSync(path, 'a', 0o600));
    database = new DatabaseSync(path);
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    // The first write takes the lock for good.
    database.exec('BEGIN IMMEDIATE');
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (version > SCHEMA_VERSION)
      throw new Error(`it was written by a newer swarm (layout ${version}, known is ${SCHEMA_VERSION})`);
    if (version === 0) database.exec(SCHEMA);
    database.exec('COMMIT');
    return { database, path };
  } catch (error) {
    database?.close();
    throw new SwarmError('unavailable', `cannot keep tokens in '${path}': ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  if (/locked|busy/i.test(messageOf(error)))
    return 'another process uses it; stop that one, or choose another folder with --state-dir';
  if (/not a database|malformed/i.test(messageOf(error)))
    return `${messageOf(error)}; move it away, agents register again by themselves`;
  return fileReason(error);
}
