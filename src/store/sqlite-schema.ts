import type { DatabaseSync } from 'node:sqlite';
import { VERSION } from '../base/version.ts';
import { tooNew, type Layouts } from './layouts.ts';

/** 'Skep' in ASCII, in the file's header: no other program's database is taken for a state. */
const APPLICATION_ID = 0x536b6570;
/** 'Skmv': a state that an etcd has now. No version of swarmd, earlier ones included, opens it as one. */
const MOVED_ID = 0x536b6d76;

/**
 * Rows keep their place when they are written again: the tasks of a service were made together, lie together, and change together,
 * so that a commit touches few pages.
 */
const TABLES = `
  CREATE TABLE rows (
    tbl TEXT NOT NULL,
    id TEXT NOT NULL,
    json TEXT NOT NULL,
    payload BLOB,
    UNIQUE (tbl, id)
  ) STRICT;
  CREATE TABLE commits (revision INTEGER NOT NULL) STRICT;
  INSERT INTO commits VALUES (0);
  PRAGMA application_id = ${APPLICATION_ID};
  `;

/**
 * Makes the tables of an empty file, and says of it which layout its rows have from now on, within the transaction that is open; of an
 * older layout they stay as they are until each is written again.
 */
export function migrate(database: DatabaseSync, layout: number): void {
  const version = number(database, 'PRAGMA user_version');
  if (version === layout) return;
  if (version === 0) database.exec(TABLES);
  database.exec(`PRAGMA user_version = ${layout}`);
  if (version === 0) return;
  database.exec('CREATE TABLE IF NOT EXISTS raised (version TEXT NOT NULL) STRICT');
  database.prepare('INSERT INTO raised VALUES (?)').run(VERSION);
}

/** The layout's version; 0 for an empty file. Throws when it is another program's, or newer than this one knows. */
export function checkedVersion(database: DatabaseSync, layouts: Layouts): number {
  const application = number(database, 'PRAGMA application_id');
  const version = number(database, 'PRAGMA user_version');
  if (application === MOVED_ID)
    throw new Error('the state is in the etcd of the swarm since it had several managers');
  if (application !== APPLICATION_ID && (application !== 0 || version !== 0))
    throw new Error('it is not a state of swarmd');
  if (version > layouts.newest) throw new Error(tooNew(version, raisedBy(database), layouts));
  if (version === 0 && number(database, 'SELECT count(*) AS n FROM sqlite_schema') > 0)
    throw new Error('it is not a state of swarmd');
  return version;
}

/** The version that wrote the layout; '' where that is the first one's. */
function raisedBy(database: DatabaseSync): string {
  if (number(database, "SELECT count(*) AS n FROM sqlite_schema WHERE name = 'raised'") === 0) return '';
  return String(database.prepare('SELECT version FROM raised ORDER BY rowid DESC').get()?.['version'] ?? '');
}

/** The one number that a query gives. */
export function number(database: DatabaseSync, query: string): number {
  const row = database.prepare(query).get();
  return Number(row ? Object.values(row)[0] : 0);
}

/** Makes it a state that is somewhere else, within the transaction that is open; `mark` says where. */
export function writeMoved(database: DatabaseSync, mark: string): void {
  database.exec('CREATE TABLE moved (mark TEXT NOT NULL) STRICT');
  database.prepare('INSERT INTO moved VALUES (?)').run(mark);
  database.exec(`PRAGMA application_id = ${MOVED_ID}`);
}

/** The mark of a state that is somewhere else. */
export function readMoved(database: DatabaseSync): string | undefined {
  if (number(database, 'PRAGMA application_id') !== MOVED_ID) return undefined;
  return String(database.prepare('SELECT mark FROM moved').get()?.['mark']);
}
