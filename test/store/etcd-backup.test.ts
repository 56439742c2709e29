import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { backupEtcd, restoreFrom, sqliteBackend } from '../../src/store/index.ts';
import { startEtcd } from '../stores/etcd.ts';
import { openManager, sharedPlace } from './etcd-place.ts';
import { config, contents, serviceWithTasks } from './objects.ts';
import { storeAt, testFolder } from './place.ts';

it('saves the state that is in etcd to a file which is restored on SQLite', async () => {
  const etcd = await startEtcd();
  onTestFinished(() => etcd[Symbol.asyncDispose]());
  const place = sharedPlace(etcd);
  const manager = await openManager(place);
  await manager.campaign();
  await serviceWithTasks(manager.store, 'web', 100);
  await manager.store.update((tx) => tx.create('config', config('large', 700_000)));
  await manager.store.update((tx) =>
    tx.create('cluster', { id: place.clusterId, spec: {}, rootCa: {}, removedNodes: {} } as never),
  );
  const folder = testFolder();
  const file = join(folder, 'backup');
  const signal = AbortSignal.timeout(30_000);
  await backupEtcd(manager.client, place, file, signal);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await expect(backupEtcd(manager.client, place, file, signal)).rejects.toMatchObject({ code: 'conflict' });
  await manager.store.update((tx) => tx.remove('config', 'config-large'));
  const state = join(folder, 'state');
  restoreFrom(file, state);
  const store = await storeAt({ open: () => sqliteBackend(state) });
  expect(store.view.revision).toBe(manager.store.view.revision - 1);
  expect(store.view.byName('config', 'large')?.spec.data).toHaveLength(700_000);
  expect(store.view.count('task')).toBe(100);
  await store.update((tx) => tx.remove('config', 'config-large'));
  expect(contents(store.view)).toEqual(contents(manager.store.view));
  const missing = { ...place, clusterId: 'nobody' };
  await expect(backupEtcd(manager.client, missing, join(folder, 'none'), signal)).rejects.toMatchObject({
    code: 'not-found',
  });
});
