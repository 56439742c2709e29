import { DatabaseSync } from 'node:sqlite';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  backupEtcd,
  Keyring,
  Move,
  openStore,
  restoreFrom,
  sqliteBackend,
  type Layouts,
  type Store,
  type Tx,
} from '../../src/store/index.ts';
import { VERSION } from '../../src/base/version.ts';
import { until } from '../hosts/index.ts';
import { clusterFixture } from '../simulation/index.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { openManager, sharedPlace, type SharedPlace, type TestManager } from './etcd-place.ts';
import { MARK, NEXT } from './next-layout.ts';
import { config, withLabels } from './objects.ts';
import { testFolder } from './place.ts';

const SOON_MS = 30_000;
const TOO_NEW = 'it was written by a newer swarmd (layout 2';
const upgrade = `it was written by a newer swarmd (layout 2, since version ${VERSION}; this one knows 1): upgrade swarmd on this host`;
const options = {
  nowMs: () => 1_000,
  onFault: (error: unknown) => {
    throw error;
  },
};

const names = ({ view }: Store): string[] =>
  [...view.all('config')].map((one) => one.spec.annotations.name).sort();
const open = async (folder: string, layouts?: Layouts): Promise<Store> => {
  const known = layouts ? { layouts } : {};
  return openStore(sqliteBackend(folder, known), { ...options, ...known });
};

function relabel(tx: Tx, name: string): void {
  const one = tx.byName('config', name);
  if (one) tx.update('config', withLabels(one, { changed: 'yes' }));
}

async function closedState(): Promise<string> {
  const folder = join(testFolder(), 'state');
  const store = await open(folder);
  await store.update((tx) => tx.create('cluster', clusterFixture()));
  await store.update((tx) => tx.create('config', config('old')));
  await store.close();
  return folder;
}

/** The JSON of the configs in a file, by their names. */
function rowsIn(file: string): Record<string, Record<string, unknown>> {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = database.prepare("SELECT id, json FROM rows WHERE tbl = 'config'").all();
    return Object.fromEntries(
      rows.map((row) => [String(row['id']), JSON.parse(String(row['json'])) as Record<string, unknown>]),
    );
  } finally {
    database.close();
  }
}

describe('a state in a file', () => {
  it('is raised by a newer swarmd, and refused by the older one, which gets back what it had', async () => {
    const folder = await closedState();
    const newer = await open(folder, NEXT);
    expect(newer.layout).toBe(2);
    await newer.update((tx) => relabel(tx, 'old'));
    await newer.update((tx) => tx.create('config', config('new')));
    await newer.close();
    expect(rowsIn(join(folder, 'state.db'))).toMatchObject({ 'config-old': { [MARK]: 'as 2' } });
    await expect(open(folder)).rejects.toThrow(
      `cannot open the state '${join(folder, 'state.db')}': ${upgrade}`,
    );
    const again = await open(folder, NEXT);
    expect(names(again)).toEqual(['new', 'old']);
    await again.close();

    const former = join(folder, 'state.db.layout-1');
    expect((statSync(former).mode & 0o777).toString(8)).toBe('600');
    restoreFrom(former, folder, { force: true });
    const older = await open(folder);
    expect(names(older)).toEqual(['old']);
    await older.close();
  });

  it('stays as it is where it is only copied, and a backup of a newer one is not restored', async () => {
    const folder = await closedState();
    const backend = sqliteBackend(folder, { layouts: NEXT, raise: false });
    await backend.backupTo(join(testFolder(), 'copy'));
    await backend.close();
    expect(existsSync(join(folder, 'state.db.layout-1'))).toBe(false);
    await (await open(folder)).close();

    await (await open(folder, NEXT)).close();
    const file = join(testFolder(), 'backup');
    const raised = sqliteBackend(folder, { layouts: NEXT });
    await raised.backupTo(file);
    await raised.close();
    const elsewhere = join(testFolder(), 'state');
    expect(() => restoreFrom(file, elsewhere)).toThrow(`'${file}' cannot be restored: ${upgrade}`);
    restoreFrom(file, elsewhere, { layouts: NEXT });
    const restored = await open(elsewhere, NEXT);
    expect(names(restored)).toEqual(['old']);
    await restored.close();
  });
});

describe('a state that managers share', () => {
  let etcd: Etcd;
  beforeAll(async () => {
    etcd = await startEtcd();
  }, 60_000);
  afterAll(() => etcd[Symbol.asyncDispose]());

  const made = async (manager: TestManager, name: string): Promise<void> => {
    await manager.campaign();
    await manager.store.update((tx) => tx.create('config', config(name)));
  };
  const begun = async (place: SharedPlace, layouts?: Layouts, name = 'one'): Promise<TestManager> => {
    const manager = await openManager(place, { name, ...(layouts ? { layouts } : {}) });
    return manager;
  };
  const keyOf = ({ prefix, clusterId }: SharedPlace, rest: string): string =>
    `${prefix}/${clusterId}/state/${rest}`;
  const rowOf = async (place: SharedPlace, name: string): Promise<string> =>
    etcd.etcdctl('get', '--print-value-only', keyOf(place, `rows/config/config-${name}/`));
  const follows = (manager: TestManager, expected: readonly string[]): Promise<void> =>
    until(`${expected.join()} is followed`, SOON_MS, () =>
      names(manager.store).join() === expected.join() ? true : undefined,
    ).then(() => undefined);

  it('is written as the older ones read it until it is raised, whoever leads; rows of both are read after', async () => {
    const place = sharedPlace(etcd);
    const [older, newer] = [await begun(place), await begun(place, NEXT, 'two')];
    await older.campaign();
    await older.store.update((tx) => tx.create('cluster', clusterFixture()));
    await older.store.update((tx) => tx.create('config', config('a')));
    await older.resign();
    await made(newer, 'b');
    expect(newer.store.layout).toBe(1);
    await follows(older, ['a', 'b']);
    expect(await rowOf(place, 'b')).not.toContain(MARK);
    await newer.resign();
    await made(older, 'c');
    await follows(newer, ['a', 'b', 'c']);
    await older.close();

    const last = await begun(place, NEXT, 'three');
    await newer.campaign();
    await newer.store.raise();
    expect(await etcd.etcdctl('get', '--print-value-only', keyOf(place, 'layout'))).toContain(`2 ${VERSION}`);
    await newer.store.update((tx) => relabel(tx, 'a'));
    expect(await rowOf(place, 'a')).toContain(MARK);
    expect(await rowOf(place, 'c')).not.toContain(MARK);
    await newer.store.update((tx) => tx.create('config', config('d')));
    await follows(last, ['a', 'b', 'c', 'd']);
    expect(last.store.layout).toBe(2);
    await expect(begun(place)).rejects.toThrow(`cannot read the state 'etcd://${etcd.endpoint}': ${upgrade}`);
    await newer.resign();
    await made(last, 'e');
    await follows(newer, ['a', 'b', 'c', 'd', 'e']);
  });

  it('has one that does not read it stand still and say so, and never lead', async () => {
    const place = sharedPlace(etcd);
    // Who gives the lead up lets go of it with the next renewal.
    const older = await openManager(place, { ttlMs: 2_000 });
    const newer = await begun(place, NEXT, 'two');
    await newer.campaign();
    await newer.store.update((tx) => tx.create('cluster', clusterFixture()));
    await newer.store.raise();
    await until('it stands still', SOON_MS, () => older.store.standstill);
    expect(older.store.standstill).toContain(TOO_NEW);
    expect(await older.store.caughtUp(AbortSignal.timeout(SOON_MS))).toBe(false);
    await newer.resign();
    const campaigning = older.campaign().catch(() => undefined);
    await until('it has won the lead and given it up', SOON_MS, () => (older.lead.term ? true : undefined));
    await made(newer, 'still');
    expect(older.store.isWriter).toBe(false);
    await older.resign();
    expect(names(newer.store)).toEqual(['still']);
    void campaigning;
  });

  it('is not raised where that could not be written, and is later', async () => {
    const place = sharedPlace(etcd);
    const manager = await begun({ ...place });
    await manager.campaign();
    await manager.store.update((tx) => tx.create('cluster', clusterFixture()));
    await manager.close();
    const newer = await begun(place, NEXT, 'two');
    await newer.campaign();
    newer.client.onTxn = () => Promise.reject(new Error('no'));
    await expect(newer.store.raise()).rejects.toThrow('the state could not be written: no');
    newer.client.onTxn = (send) => send();
    await newer.resign();
    await until('it follows', SOON_MS, () => (newer.store.isWriter ? undefined : true));
    await until('its layout is the former', SOON_MS, () => (newer.store.layout === 1 ? true : undefined));
    await newer.campaign();
    await newer.store.raise();
    const other = await begun(place, NEXT, 'three');
    expect(other.store.layout).toBe(2);
  });

  it('keeps what a row has that is not known here when that is written again', async () => {
    const place = sharedPlace(etcd);
    const manager = await begun(place);
    await made(manager, 'a');
    await manager.close();
    const found = (await rowOf(place, 'a')).split('\n')[0] ?? '';
    const more = JSON.stringify({ ...(JSON.parse(found) as object), later: { x: [1] } });
    await etcd.etcdctl('put', keyOf(place, 'rows/config/config-a/'), `${more}\n=x`);
    const again = await begun(place);
    await again.campaign();
    await again.store.update((tx) => relabel(tx, 'a'));
    expect(await rowOf(place, 'a')).toContain('"later":{"x":[1]}');
  });

  it('is saved and brought here with its layout, sealed or not', async () => {
    const place = sharedPlace(etcd);
    const folder = await closedState();
    const backend = sqliteBackend(folder, { layouts: NEXT });
    const store = await openStore(backend, { ...options, layouts: NEXT, keyring: new Keyring() });
    const newer = await begun(sharedPlace(etcd), NEXT);
    const signal = AbortSignal.timeout(SOON_MS);
    const move = await Move.begin(backend, newer.client, place, signal);
    await move.copy(signal);
    await store.close();
    await move.finish(signal);
    await expect(begun(place)).rejects.toThrow(TOO_NEW);
    const moved = await begun(place, NEXT);
    expect([names(moved.store), moved.store.layout]).toEqual([['old'], 2]);

    const file = join(testFolder(), 'backup');
    await backupEtcd(newer.client, place, file, signal, NEXT);
    expect(() => restoreFrom(file, join(testFolder(), 'state'))).toThrow(TOO_NEW);
    const old = sharedPlace(etcd);
    const first = await begun(old);
    await first.campaign();
    await first.store.update((tx) => tx.create('cluster', clusterFixture()));
    const saved = join(testFolder(), 'saved');
    await backupEtcd(newer.client, old, saved, signal, NEXT);
    const elsewhere = join(testFolder(), 'state');
    restoreFrom(saved, elsewhere);
    await (await open(elsewhere)).close();
  });
});
