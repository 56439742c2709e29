import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { restoreFrom, sqliteBackend, type SqliteBackend, type Store } from '../../src/store/index.ts';
import { clusterFixture } from '../simulation/index.ts';
import { config, contents, serviceWithTasks } from './objects.ts';
import { storeAt, testFolder } from './place.ts';

interface Running {
  readonly folder: string;
  readonly backend: SqliteBackend;
  readonly store: Store;
}

/** A state of a swarm with some tasks. */
async function running(folder = join(testFolder(), 'state')): Promise<Running> {
  const backend = sqliteBackend(folder);
  const store = await storeAt({ open: () => backend });
  await store.update((tx) => tx.create('cluster', clusterFixture()));
  await serviceWithTasks(store, 'a', 500);
  return { folder, backend, store };
}

async function contentsOf(folder: string): Promise<unknown> {
  const store = await storeAt({ open: () => sqliteBackend(folder) });
  const all = contents(store.view);
  await store.close();
  return all;
}

/** A backup of a state; it and the state's contents at that time. */
async function backedUp(): Promise<{ file: string; before: unknown; from: Running }> {
  const from = await running();
  const file = join(testFolder(), 'backup');
  await from.backend.backupTo(file);
  return { file, before: contents(from.store.view), from };
}

describe('a backup', () => {
  it('is one private file that makes the same state', async () => {
    const { file, before } = await backedUp();
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    expect(readdirSync(dirname(file))).toEqual(['backup']);
    const folder = join(testFolder(), 'new', 'state');
    restoreFrom(file, folder);
    expect((statSync(folder).mode & 0o777).toString(8)).toBe('700');
    expect((statSync(join(folder, 'state.db')).mode & 0o777).toString(8)).toBe('600');
    expect(await contentsOf(folder)).toEqual(before);
  });

  it('is of one moment while updates go on, and holds up none of them for good', async () => {
    const { backend, store } = await running();
    const file = join(testFolder(), 'backup');
    let stop = false;
    const pairs = async (): Promise<void> => {
      for (let number = 0; !stop; number++)
        await store.update((tx) => {
          tx.create('config', config(`left-${number}`, 5_000));
          tx.create('config', config(`right-${number}`));
        });
    };
    const writing = pairs();
    const atLeast = store.view.revision;
    await Promise.all([backend.backupTo(file), backend.backupTo(`${file}-second`)]);
    const atMost = store.view.revision;
    stop = true;
    await writing;
    expect(store.view.count('config')).toBeGreaterThan(0);
    const folder = join(testFolder(), 'state');
    restoreFrom(file, folder);
    const restored = await storeAt({ open: () => sqliteBackend(folder) });
    expect(restored.view.revision).toBeGreaterThanOrEqual(atLeast);
    expect(restored.view.revision).toBeLessThanOrEqual(atMost);
    expect(restored.view.count('config') % 2).toBe(0);
  });

  it('replaces no file, and says so', async () => {
    const { backend } = await running();
    const file = join(testFolder(), 'backup');
    writeFileSync(file, 'mine');
    await expect(backend.backupTo(file)).rejects.toMatchObject({ code: 'conflict' });
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  it('leaves nothing where it cannot be written', async () => {
    const { backend, store } = await running();
    await expect(backend.backupTo(join(testFolder(), 'no', 'folder'))).rejects.toMatchObject({
      code: 'unavailable',
    });
    const small = testFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100k,mode=700', 'skep-store-test', small]);
    onTestFinished(() => void execFileSync('umount', [small]));
    await expect(backend.backupTo(join(small, 'backup'))).rejects.toMatchObject({ code: 'unavailable' });
    expect(readdirSync(small)).toEqual([]);
    const file = join(testFolder(), 'backup');
    await store.update((tx) => tx.create('config', config('goes on')));
    await store.close();
    await expect(backend.backupTo(file)).rejects.toMatchObject({ code: 'unavailable' });
    expect(existsSync(file)).toBe(false);
  });
});

describe('restoring', () => {
  it('replaces a state only when forced, and keeps the former one beside it', async () => {
    const { file, before } = await backedUp();
    const other = await running();
    await other.store.update((tx) => tx.create('config', config('later')));
    const former = contents(other.store.view);
    await other.store.close();
    expect(() => restoreFrom(file, other.folder)).toThrow(
      `a state is in '${other.folder}' already; nothing was changed`,
    );
    expect(await contentsOf(other.folder)).toEqual(former);
    restoreFrom(file, other.folder, { force: true });
    expect(await contentsOf(other.folder)).toEqual(before);
    const kept = join(testFolder(), 'state');
    restoreFrom(join(other.folder, 'state.db.replaced'), kept);
    expect(await contentsOf(kept)).toEqual(former);
    restoreFrom(file, other.folder, { force: true });
    expect(await contentsOf(other.folder)).toEqual(before);
  });

  it('does not touch a state that is in use, forced or not', async () => {
    const { file, from } = await backedUp();
    const before = contents(from.store.view);
    expect(() => restoreFrom(file, from.folder, { force: true })).toThrow('is in use; stop swarmd first');
    await from.store.update((tx) => tx.create('config', config('goes on')));
    await from.store.close();
    expect(await contentsOf(from.folder)).not.toEqual(before);
  });

  it('replaces a damaged state when forced, log and all', async () => {
    const { file, before } = await backedUp();
    const other = await running();
    await other.store.close();
    const path = join(other.folder, 'state.db');
    writeFileSync(path, 'this is no database at all, and long enough to be looked at as one');
    writeFileSync(`${path}-wal`, 'nor is this a log');
    restoreFrom(file, other.folder, { force: true });
    expect(await contentsOf(other.folder)).toEqual(before);
  });

  it.each<[string, (file: string) => void, RegExp]>([
    ['nothing', (file) => writeFileSync(file, ''), /it is not a state of swarmd/],
    ['no database', (file) => writeFileSync(file, 'x'.repeat(5_000)), /it is no database, or damaged/],
    ['half of one', (file) => truncateSync(file, statSync(file).size / 2), /damaged/],
    ['a newer state', (file) => sql(file, 'PRAGMA user_version = 7'), /written by a newer swarmd/],
    ['of another program', (file) => sql(file, 'PRAGMA application_id = 7'), /it is not a state of swarmd/],
    [
      'without a swarm',
      (file) => sql(file, "DELETE FROM rows WHERE tbl = 'cluster'"),
      /there is no swarm in it/,
    ],
    [
      'with a damaged row',
      (file) => sql(file, "UPDATE rows SET json = '{' WHERE tbl = 'service'"),
      /the row service\/\w+ is damaged/,
    ],
    ['without its tables', (file) => sql(file, 'DROP TABLE rows'), /cannot be restored/],
  ])('refuses %s, and changes nothing', async (_, spoil, message) => {
    const { file } = await backedUp();
    const bad = join(testFolder(), 'bad');
    copyFileSync(file, bad);
    spoil(bad);
    const other = await running();
    const former = contents(other.store.view);
    await other.store.close();
    expect(() => restoreFrom(bad, other.folder, { force: true })).toThrow(message);
    expect(await contentsOf(other.folder)).toEqual(former);
    expect(existsSync(join(other.folder, 'state.db.restoring'))).toBe(false);
  });

  it('names a file that is not there', () => {
    const folder = join(testFolder(), 'state');
    expect(() => restoreFrom('/no/such/file', folder)).toThrow(
      `cannot restore '/no/such/file' to '${folder}': no such file or directory`,
    );
    expect(existsSync(join(folder, 'state.db'))).toBe(false);
  });
});

function sql(file: string, text: string): void {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = DELETE');
  database.exec(text);
  database.close();
}
