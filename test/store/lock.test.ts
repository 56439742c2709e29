import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  Keyring,
  LockedError,
  openStore,
  parseUnlockKey,
  restoreFrom,
  sqliteBackend,
  type Row,
  type Store,
} from '../../src/store/index.ts';
import { clusterFixture } from '../simulation/index.ts';
import { config, contents, serviceWithTasks } from './objects.ts';
import { KeptRows, storeAt, testFolder, type Place } from './place.ts';

const SECRET = 'the words that nobody may read';
const CA_KEY = '-----BEGIN PRIVATE KEY----- of the swarm';

/** A state with something of everything, plain. */
async function plain(where: Place, tasks = 40): Promise<Store> {
  const store = await storeAt(where);
  await store.update((tx) => {
    const cluster = clusterFixture();
    tx.create('cluster', { ...cluster, rootCa: { ...cluster.rootCa, keyPem: CA_KEY } });
    tx.create('secret', {
      id: 'secret-s',
      spec: { annotations: { name: 's', labels: {} }, data: new TextEncoder().encode(SECRET) },
    });
  });
  await serviceWithTasks(store, 'a', tasks);
  await store.update((tx) => tx.create('config', config('large', 200_000)));
  return store;
}

/** What `docker swarm update --autolock`, and `unlock-key --rotate`, have written. */
async function wish(store: Store, on: boolean, renew = false): Promise<void> {
  await store.update((tx) => {
    const cluster = tx.cluster() ?? expect.fail();
    tx.update('cluster', { ...cluster, spec: { ...cluster.spec, autoLockManagers: on } });
    store.lock.follow(tx, { on, renew });
  });
}

async function lockedWith(store: Store): Promise<string> {
  await wish(store, true);
  const key = await store.lock.unlockKey();
  await store.lock.settle();
  return key;
}

const openWith = (
  where: KeptRows | { open(): ReturnType<KeptRows['open']> },
  key?: string,
): Promise<Store> => {
  const keyring = new Keyring();
  if (key !== undefined) keyring.offer(parseUnlockKey(key));
  return openStore(where.open(), { nowMs: () => 1_000, onFault: () => expect.fail(), keyring });
};

/** All that is in a folder's files. */
function bytesIn(folder: string): string {
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('\n');
}

const withoutSeal = (store: Store): unknown =>
  (contents(store.view) as { kind: string }[]).filter(({ kind }) => kind !== 'seal' && kind !== 'cluster');

describe('a lock', () => {
  it('is in force when its key is told, seals every row, and opens with that key alone', async () => {
    const where = new KeptRows(false);
    const store = await plain(where);
    const before = withoutSeal(store);
    await wish(store, true);
    await openWith(where);
    const key = await store.lock.unlockKey();
    expect(key).toMatch(/^SWMKEY-1-[A-Za-z0-9+/]{43}$/);
    await expect(openWith(where)).rejects.toBeInstanceOf(LockedError);
    await store.lock.settle();
    expect(await store.lock.unlockKey()).toBe(key);
    for (const row of where.rows.values()) if (row.table !== 'seal') expect(row.json).toBe('{"sealed":1}');
    await expect(openWith(where, `SWMKEY-1-${'A'.repeat(43)}`)).rejects.toBeInstanceOf(LockedError);
    expect(withoutSeal(await openWith(where, key))).toEqual(before);
    expect(withoutSeal(store)).toEqual(before);
  });

  it('changes no object, and tells nobody of any', async () => {
    const store = await plain(new KeptRows(false));
    const versions = (): number[] => [...store.view.all('task')].map(({ meta }) => meta.version);
    const before = versions();
    await wish(store, true);
    const told: string[] = [];
    store.watch((events) => told.push(...events.map(({ kind }) => kind)));
    await store.lock.unlockKey();
    await store.lock.settle();
    expect(new Set(told)).toEqual(new Set(['seal']));
    expect(versions()).toEqual(before);
  });

  it('has another key when it was asked to and that was told; the former opens nothing then', async () => {
    const where = new KeptRows(false);
    const store = await plain(where);
    const first = await lockedWith(store);
    await wish(store, true, true);
    await openWith(where, first);
    const second = await store.lock.unlockKey();
    expect(second).not.toBe(first);
    await store.lock.settle();
    await expect(openWith(where, first)).rejects.toBeInstanceOf(LockedError);
    const again = await openWith(where, second);
    expect(await again.lock.unlockKey()).toBe(second);
    await store.update((tx) => tx.create('config', config('later')));
    expect((await openWith(where, second)).view.byName('config', 'later')).toBeDefined();
  });

  it('goes when all rows are plain, and another has keys of its own', async () => {
    const where = new KeptRows(true);
    const store = await plain(where);
    const first = await lockedWith(store);
    await wish(store, false);
    await expect(openWith(where)).rejects.toBeInstanceOf(LockedError);
    await store.lock.settle();
    expect([...where.rows.values()].filter(({ json }) => json === '{"sealed":1}')).toEqual([]);
    expect(await store.lock.unlockKey()).toBe('');
    expect(withoutSeal(await openWith(where))).toEqual(withoutSeal(store));
    expect(await lockedWith(store)).not.toBe(first);
  });

  it('that is wanted otherwise half way ends as it was wanted last', async () => {
    const where = new KeptRows(true);
    const store = await plain(where, 400);
    await wish(store, true);
    const key = await store.lock.unlockKey();
    const sealing = store.lock.settle();
    await wish(store, false);
    await wish(store, true);
    await sealing;
    expect(store.lock.isSettled).toBe(true);
    expect(withoutSeal(await openWith(where, key))).toEqual(withoutSeal(store));
    const opening = wish(store, false).then(() => store.lock.settle());
    for (let number = 0; number < 30; number++)
      await store.update((tx) => tx.create('config', config(`while-${number}`)));
    await opening;
    expect(withoutSeal(await openWith(where))).toEqual(withoutSeal(store));
  });

  it('opens with the key of its time wherever it is cut off, and goes on', { timeout: 60_000 }, async () => {
    const where = new KeptRows(false);
    const store = await plain(where, 150);
    const before = withoutSeal(store);
    const states: { rows: Row[]; revision: number }[] = [];
    const snapshots = new KeptRows(false);
    for (const [key, row] of where.rows) snapshots.rows.set(key, row);
    snapshots.revision = where.revision;
    const backend = snapshots.open();
    const watched = await openStore(
      {
        ...backend,
        commit: (revision, writes) => {
          void backend.commit(revision, writes);
          states.push({ rows: [...snapshots.rows.values()], revision });
        },
      },
      { nowMs: () => 1_000, onFault: () => expect.fail() },
    );
    const keys: string[] = [await lockedWith(watched)];
    await wish(watched, true, true);
    keys.push(await watched.lock.unlockKey());
    await watched.lock.settle();
    await wish(watched, false);
    await watched.lock.settle();
    expect(states.length).toBeGreaterThan(10);
    for (const { rows, revision } of states) {
      const cut = new KeptRows(false);
      for (const row of rows) cut.rows.set(`${row.table}/${row.id}`, row);
      cut.revision = revision;
      const opened: Store[] = [];
      for (const key of [undefined, ...keys])
        await openWith(cut, key).then(
          (one) => opened.push(one),
          () => undefined,
        );
      const [one] = opened;
      // Plain it opens with whatever was offered, sealed with one key.
      expect([1, 3]).toContain(opened.length);
      expect(withoutSeal(one ?? expect.fail())).toEqual(before);
      await one?.lock.settle();
      expect(one?.lock.isSettled).toBe(true);
    }
  });

  it('binds a row to its place', async () => {
    const where = new KeptRows(false);
    const store = await plain(where);
    const key = await lockedWith(store);
    const secret = where.rows.get('secret/secret-s') ?? expect.fail();
    where.rows.set('config/config-large', { ...secret, table: 'config', id: 'config-large' });
    await expect(openWith(where, key)).rejects.toThrow(
      'the row config/config-large is damaged: its seal is broken',
    );
  });

  it('is in force from the first row on where a state begins with it', async () => {
    const where = new KeptRows(false);
    const store = await storeAt(where);
    await store.update((tx) => {
      const cluster = clusterFixture();
      tx.create('cluster', { ...cluster, spec: { ...cluster.spec, autoLockManagers: true } });
      store.lock.begin(tx);
    });
    expect(
      [...where.rows.values()].map(({ table, json }) => table === 'seal' || json === '{"sealed":1}'),
    ).toEqual([true, true]);
    const key = await store.lock.unlockKey();
    expect((await openWith(where, key)).view.cluster()).toBeDefined();
  });
});

describe('a lock on SQLite', () => {
  it('leaves nothing of before in its files, nor in a backup, which opens with the key', async () => {
    const folder = testFolder();
    const backend = sqliteBackend(folder);
    const store = await plain({ open: () => backend });
    for (const words of [SECRET, CA_KEY, 'httpd']) expect(bytesIn(folder)).toContain(words);
    const key = await lockedWith(store);
    for (const words of [SECRET, CA_KEY, key, Buffer.from(parseUnlockKey(key)).toString('latin1'), 'httpd'])
      expect(bytesIn(folder)).not.toContain(words);
    const file = join(testFolder(), 'backup');
    await backend.backupTo(file);
    const elsewhere = join(testFolder(), 'state');
    restoreFrom(file, elsewhere);
    expect(bytesIn(elsewhere)).not.toContain(SECRET);
    await expect(openWith({ open: () => sqliteBackend(elsewhere) })).rejects.toBeInstanceOf(LockedError);
    await store.close();
  });

  it('of a restored backup opens with the key of its time', async () => {
    const folder = testFolder();
    const backend = sqliteBackend(folder);
    const store = await plain({ open: () => backend });
    const key = await lockedWith(store);
    const file = join(testFolder(), 'backup');
    await backend.backupTo(file);
    await wish(store, true, true);
    await store.lock.unlockKey();
    const elsewhere = join(testFolder(), 'state');
    restoreFrom(file, elsewhere);
    const restored = await openWith({ open: () => sqliteBackend(elsewhere) }, key);
    expect(withoutSeal(restored)).toEqual(withoutSeal(store));
    await restored.close();
  });
});
