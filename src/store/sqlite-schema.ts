import type { DatabaseSync } from 'node:sqlite';

/** 'Skep' in ASCII, in the file's header: no other program's database is taken for a state. */
const APPLICATION_ID = 0x536b6570;
/** 'Skmv': a state that an etcd has now. No version of swarmd, earlier ones included, opens it as one. */
const MOVED_ID = 0x536b6d76;

/**
 * What brings a state from each version to the next; version 0 is an empty file. Those that were released are never
 * changed. Rows keep their place when they are written again: the tasks of a service were made together, lie together, and
 * change together, so that a commit touches few pages.
 */
const MIGRATIONS: readonly string[] = [
  `
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
  `,
];

/** Brings an empty or older state up to date, within the transaction that is open. Throws for what is not one of ours. */
export function migrate(database: DatabaseSync): void {
  const version = checkedVersion(database);
  if (version === 0 && number(database, 'SELECT count(*) AS n FROM sqlite_schema') > 0)
    throw new Error('it is not a state of swarmd');
  for (const step of MIGRATIONS.slice(version)) database.exec(step);
  if (version < MIGRATIONS.length) database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
}

/** The layout's version; 0 for an empty file. Throws when it is another program's, or newer than this one knows. */
export function checkedVersion(database: DatabaseSync): number {
  const application = number(database, 'PRAGMA application_id');
  const version = number(database, 'PRAGMA user_version');
  if (application === MOVED_ID)
    throw new Error('the state is in the etcd of the swarm since it had several managers');
  if (application !== APPLICATION_ID && (application !== 0 || version !== 0))
    throw new Error('it is not a state of swarmd');
  if (version > MIGRATIONS.length)
    throw new Error(
      `it was written by a newer swarmd (layout ${version}; this one knows ${MIGRATIONS.length})`,
    );
  return version;
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
