import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sqliteBackend, type SqliteBackend } from '../../src/store/index.ts';
import { storeContract } from './contract.ts';
import { config, contents, serviceWithTasks } from './objects.ts';
import { storeAt, testFolder, type Place } from './place.ts';

function place(folder = testFolder()): Place & {
  readonly folder: string;
  readonly file: string;
  open(): SqliteBackend;
} {
  return { folder, file: join(folder, 'state.db'), open: () => sqliteBackend(folder) };
}

/** The file of a state with some tasks in it, closed. */
async function closedState(): Promise<ReturnType<typeof place>> {
  const where = place(join(testFolder(), 'state'));
  const store = await storeAt(where);
  await serviceWithTasks(store, 'a', 200);
  await store.close();
  return where;
}

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe('a store in SQLite', () => {
  storeContract(() => place());

  it('lets nobody else look into it', async () => {
    const where = place(join(testFolder(), 'deep', 'state'));
    const store = await storeAt(where);
    await store.update((tx) => tx.create('config', config('c')));
    expect(modeOf(where.folder)).toBe('700');
    expect(readdirSync(where.folder).map((name) => [name, modeOf(join(where.folder, name))])).toEqual([
      ['state.db', '600'],
      ['state.db-wal', '600'],
    ]);
    await store.close();
    chmodSync(where.file, 0o644);
    await (await storeAt(where)).close();
    expect(modeOf(where.file)).toBe('600');
  });

  it('is had by one at a time, in this process and in another', async () => {
    const where = place();
    const store = await storeAt(where);
    const message = `cannot open the state '${where.file}': another process uses it; is swarmd running already?`;
    expect(() => where.open()).toThrow(message);
    const other = spawnSync(process.execPath, ['--input-type=module', '-e', opening(where.folder)], {
      encoding: 'utf8',
    });
    expect(other.stdout).toBe(message);
    await store.update((tx) => tx.create('config', config('c')));
    await store.close();
    expect((await storeAt(where)).view.count('config')).toBe(1);
  });

  it('refuses a state of a newer version, and leaves it alone', async () => {
    const where = await closedState();
    sql(where.file, 'PRAGMA user_version = 99');
    expect(() => where.open()).toThrow(
      `cannot open the state '${where.file}': it was written by a newer swarmd (layout 99; this one knows 1): upgrade swarmd on this host`,
    );
    sql(where.file, 'PRAGMA user_version = 1');
    expect((await storeAt(where)).view.count('task')).toBe(200);
  });

  it.each([
    ['another program', 'CREATE TABLE theirs (a); PRAGMA user_version = 1'],
    ['a program that says no version', 'CREATE TABLE theirs (a)'],
    ['a program with an id', 'PRAGMA application_id = 5'],
  ])('refuses a database of %s', async (_, text) => {
    const where = place();
    sql(where.file, text);
    expect(() => where.open()).toThrow(`cannot open the state '${where.file}': it is not a state of swarmd`);
  });

  it('names a file that is damaged at its beginning', async () => {
    const where = await closedState();
    overwrite(where.file, 0, 100);
    expect(() => where.open()).toThrow(
      `cannot open the state '${where.file}': it is damaged (file is not a database); restore a backup, or move it away to begin anew`,
    );
  });

  it('names a file that is damaged within', async () => {
    const where = await closedState();
    overwrite(where.file, 4096 * 3, 4096 * 8);
    await expect(storeAt(where)).rejects.toThrow(`cannot read the state '${where.file}': it is damaged`);
  });

  it('names a folder that cannot be used', () => {
    const folder = testFolder();
    writeFileSync(join(folder, 'file'), '');
    const path = join(folder, 'file', 'state');
    expect(() => sqliteBackend(path)).toThrow(
      `cannot open the state '${join(path, 'state.db')}': not a directory`,
    );
    mkdirSync(join(folder, 'state.db'));
    expect(() => sqliteBackend(folder)).toThrow(`cannot open the state '${join(folder, 'state.db')}': `);
  });

  it('does not write past a revision that it does not know', async () => {
    const where = place();
    const backend = where.open();
    await backend.load();
    onTestFinished(() => backend.close());
    await backend.commit(1, []);
    expect(() => backend.commit(3, [{ table: 'config', id: 'x', json: '{}' }])).toThrow('not at revision 2');
    expect([...(await backend.load()).rows]).toEqual([]);
  });

  it(
    'loses nothing when the disk is full, and works again when there is room',
    { timeout: 60_000 },
    async () => {
      const folder = testFolder();
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=700', 'skep-store-test', folder]);
      onTestFinished(() => void execFileSync('umount', [folder]));
      const where = place(folder);
      const store = await storeAt(where);
      onTestFinished(() => store.close());
      let written = 0;
      const fill = async (): Promise<void> => {
        for (;;) await store.update((tx) => void tx.create('config', config(String(written++), 100_000)));
      };
      await expect(fill()).rejects.toMatchObject({
        code: 'unavailable',
        message: 'the state could not be written: database or disk is full',
      });
      const before = contents(store.view);
      expect(store.view.count('config')).toBe(written - 1);
      execFileSync('mount', ['-o', 'remount,size=8m', folder]);
      await store.update((tx) => void tx.create('config', config('with room', 100_000)));
      await store.update((tx) => tx.remove('config', 'config-with room'));
      await store.close();
      const again = await storeAt(where);
      expect(contents(again.view)).toEqual(before);
      await again.close();
    },
  );
});

function opening(folder: string): string {
  const door = new URL('../../src/store/index.ts', import.meta.url).href;
  return `import { sqliteBackend } from '${door}';
    try { sqliteBackend(${JSON.stringify(folder)}); } catch (error) { process.stdout.write(error.message); }`;
}

function sql(file: string, text: string): void {
  const database = new DatabaseSync(file);
  try {
    database.exec(text);
  } finally {
    database.close();
  }
}

function overwrite(file: string, from: number, bytes: number): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, new Uint8Array(bytes).fill(0xa5), 0, bytes, from);
  closeSync(descriptor);
}
