import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  findCluster,
  finishMove,
  forgetMoved,
  Move,
  movedTo,
  openEtcdStore,
  openStore,
  sqliteBackend,
  type SqliteBackend,
  type Store,
} from '../../src/store/index.ts';
import { EtcdError } from '../../src/store/etcd/etcd-error.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { openManager, sharedPlace, testClient, type SharedPlace, type TestClient } from './etcd-place.ts';
import { config, contents, serviceWithTasks, withLabels } from './objects.ts';
import { testFolder } from './place.ts';

let etcd: Etcd;
const signal = (): AbortSignal => AbortSignal.timeout(50_000);
const options = { nowMs: () => 1_000, onFault: console.error };

beforeAll(async () => {
  etcd = await startEtcd();
}, 60_000);

afterAll(() => etcd[Symbol.asyncDispose]());

interface Source {
  readonly folder: string;
  readonly backend: SqliteBackend;
  readonly store: Store;
}

async function openSqlite(folder: string): Promise<Source> {
  const backend = sqliteBackend(folder);
  onTestFinished(() => backend.close());
  return { folder, backend, store: await openStore(backend, options) };
}

/** A state of some hundred rows, small and large. */
async function filled(): Promise<Source> {
  const source = await openSqlite(testFolder());
  await serviceWithTasks(source.store, 'web', 120);
  for (const [name, bytes] of [
    ['small', 10],
    ['large', 500_000],
    ['largest', 900_000],
  ] as const)
    await source.store.update((tx) => tx.create('config', config(name, bytes)));
  return source;
}

/** What clients write while the state moves: new, changed and removed, and a large one that becomes small. */
async function change(store: Store, round: string): Promise<void> {
  await store.update((tx) => {
    const small = tx.get('config', 'config-small');
    if (small) tx.update('config', withLabels(small, { round }));
    const large = tx.get('config', 'config-large');
    if (large) tx.update('config', { ...large, spec: { ...large.spec, data: new Uint8Array([1, 2, 3]) } });
    const [first] = tx.all('task');
    if (first) tx.remove('task', first.id);
    tx.create('config', config(`new-${round}`, 300_000));
  });
}

/** As a swarmd that starts: where the state is, and all of it. */
async function found(
  folder: string,
  place: SharedPlace,
): Promise<{ side: 'sqlite' | 'etcd'; revision: number; all: unknown }> {
  const client = testClient(place);
  const moved = movedTo(folder);
  if (!moved) {
    const { backend, store } = await openSqlite(folder);
    const all = contents(store.view);
    const { revision } = store.view;
    await store.close();
    await backend.close();
    expect(await findCluster(client, place.prefix, { signal: signal() })).toBeUndefined();
    await expect(openEtcdStore(client, { ...place, ...options })).rejects.toMatchObject({
      code: 'not-found',
    });
    return { side: 'sqlite', revision, all };
  }
  expect(() => sqliteBackend(folder)).toThrow(/the state is in the etcd of the swarm/);
  await finishMove(moved, client, signal());
  await finishMove(moved, client, signal());
  expect(await findCluster(client, place.prefix, { signal: signal() })).toBe(place.clusterId);
  const store = await openEtcdStore(client, { ...place, ...options });
  await store.close();
  return { side: 'etcd', revision: store.view.revision, all: contents(store.view) };
}

async function move(
  { backend, store }: Source,
  place: SharedPlace,
  client: TestClient,
  round = 'late',
): Promise<void> {
  const moving = await Move.begin(backend, client, place, signal());
  try {
    await moving.copy(signal());
    await change(store, round);
    await store.close();
    await moving.finish(signal());
  } finally {
    moving.abandon();
  }
}

describe('the move of a state from SQLite to etcd', () => {
  it('takes along what is written meanwhile, and goes on at its revision', async () => {
    const source = await filled();
    const { folder, store } = source;
    const place = sharedPlace(etcd);
    const client = testClient(place);
    let txns = 0;
    client.onTxn = async (send) => {
      if (++txns === 2) await change(store, 'early');
      return send();
    };
    await move(source, place, client);
    const there = await found(folder, place);
    expect(there).toEqual({ side: 'etcd', revision: store.view.revision, all: contents(store.view) });
    const manager = await openManager(place);
    await manager.campaign();
    const made = await manager.store.update((tx) => tx.create('config', config('after')));
    expect(made.meta.version).toBe(store.view.revision + 1);
    const keys = await etcd.etcdctl('get', '--keys-only', '--prefix', `${place.prefix}/`);
    expect(keys).not.toContain('/copy');
    expect(keys.match(/config-large\/data/)).toBeNull();
    forgetMoved(folder);
    expect(existsSync(join(folder, 'state.db'))).toBe(false);
    expect(movedTo(folder)).toBeUndefined();
  });

  it(
    'ends on exactly one side wherever it is cut off, with all that was acknowledged',
    { timeout: 120_000 },
    async () => {
      const sides = new Set<string>();
      for (const when of ['before', 'after'] as const) {
        for (let at = 1, isThrough = false; !isThrough; at++) {
          const source = await filled();
          const place = sharedPlace(etcd);
          const client = testClient(place);
          let txns = 0;
          client.onTxn = async (send) => {
            txns++;
            if (txns > at || (txns === at && when === 'before')) throw new Error('killed');
            const answer = await send();
            if (txns === at) throw new Error('killed');
            return answer;
          };
          const moving = move(source, place, client);
          const how = await moving.then(
            () => 'through',
            (error: unknown) => String(error),
          );
          isThrough = how === 'through';
          if (!isThrough) expect(how).toBe('Error: killed');
          await source.store.close();
          client.close();
          const { view } = source.store;
          const there = await found(source.folder, place);
          expect({ when, at, ...there }).toEqual({
            when,
            at,
            side: there.side,
            revision: view.revision,
            all: contents(view),
          });
          sides.add(`${when} ${there.side}`);
          if (there.side === 'etcd') continue;
          // Begun again from nothing.
          const again = await openSqlite(source.folder);
          await move(again, place, testClient(place), 'later');
          expect(await found(source.folder, place)).toMatchObject({
            side: 'etcd',
            all: contents(again.store.view),
          });
        }
      }
      expect([...sides].sort()).toEqual(['after etcd', 'after sqlite', 'before etcd', 'before sqlite']);
    },
  );

  it('does each step once where answers are lost', async () => {
    const source = await filled();
    const place = sharedPlace(etcd);
    const client = testClient(place);
    let sent = 0;
    client.onTxn = async (send) => {
      const lost = ++sent % 2 === 1;
      const answer = await send();
      if (lost) throw new EtcdError('the connection broke', 'unknown');
      return answer;
    };
    await move(source, place, client);
    const { view } = source.store;
    expect(await found(source.folder, place)).toEqual({
      side: 'etcd',
      revision: view.revision,
      all: contents(view),
    });
  });

  it('is refused where a state is, and ends where another one is begun', async () => {
    const source = await filled();
    const place = sharedPlace(etcd);
    const taken = await openManager({ ...place, clusterId: 'another' });
    await taken.close();
    const client = testClient(place);
    await expect(Move.begin(source.backend, client, place, signal())).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('holds the state of a swarm already (another)') as string,
    });
    const free = sharedPlace(etcd);
    const first = await Move.begin(source.backend, client, free, signal());
    await expect(Move.begin(source.backend, client, free, signal())).rejects.toMatchObject({
      code: 'conflict',
    });
    const other = await filled();
    const second = await Move.begin(other.backend, client, free, signal());
    await expect(first.copy(signal())).rejects.toMatchObject({ code: 'conflict' });
    first.abandon();
    await second.copy(signal());
    await other.store.close();
    await second.finish(signal());
    expect(await found(other.folder, free)).toMatchObject({ side: 'etcd' });
    // In use as before.
    await change(source.store, 'here');
    await source.store.close();
    expect(movedTo(source.folder)).toBeUndefined();
    await expect(second.finish(signal())).rejects.toThrow();
  });
});
