import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../base/log.ts';
import { parseEngineAddress } from '../engine/index.ts';
import { restore } from './backup.ts';
import type { DaemonOptions } from './options.ts';
import { serve } from './serve.ts';
import { StateFolder } from './state-folder.ts';
import { startDaemon } from './testing/daemon.ts';
import { serveAdmin } from './admin.ts';
import type { DaemonContext } from './daemon-context.ts';

let disk: string;
beforeEach(() => void (disk = mkdtempSync(join(tmpdir(), 'swarmd-serve-'))));
afterEach(() => rmSync(disk, { recursive: true }));

const PLACE = { host: '10.0.0.1', port: 2377 };
const LOCAL = { nodeId: 'own', listen: PLACE, advertise: PLACE, dataPath: '' };
const AN_ETCD: DaemonOptions['store'] = {
  kind: 'etcd',
  place: { address: { endpoints: ['10.0.0.9:2379'], prefix: '/skep' } },
};

/** Runs a daemon with the folder of the test and this store. */
function started(store: DaemonOptions['store']): Promise<void> {
  const options: DaemonOptions = {
    listen: [{ kind: 'unix', path: join(disk, 'api.sock') }],
    activated: false,
    open: false,
    engine: parseEngineAddress(`unix://${join(disk, 'engine.sock')}`),
    store,
    storeMember: 'auto',
    balancer: 'off',
    stateDir: disk,
  };
  return serve(options, { signal: AbortSignal.abort(), log: createLog('fatal'), env: {} });
}

test('a daemon that forgets its state takes no folder that has one', async () => {
  writeFileSync(join(disk, 'state.db'), '');
  await expect(started({ kind: 'memory' })).rejects.toThrow('holds a state');
  await expect(started(AN_ETCD)).rejects.toThrow('--store etcd://… would leave it aside');
});

test('a host goes on with the kind of store that it began with, and says which', async () => {
  const folder = new StateFolder(disk);
  folder.writeLocal({ ...LOCAL, store: 'etcd' });
  for (const store of [{ kind: 'sqlite' }, { kind: 'memory' }] as const)
    await expect(started(store)).rejects.toThrow(
      `this host manages a swarm whose state is in an etcd of the user’s: start swarmd with the same --store etcd://… as before, or name another --state-dir than '${disk}'`,
    );
  folder.writeLocal({ ...LOCAL, store: 'sqlite' });
  for (const store of [AN_ETCD, { kind: 'memory' }] as const)
    await expect(started(store)).rejects.toThrow('start swarmd without --store, as before');
});

test("a folder is one daemon's: what a kill left of a backup goes, and none is restored under it", async () => {
  await using daemon = await startDaemon();
  const { folder, life } = daemon;
  folder.make();
  writeFileSync(`${folder.backupDraft}.partial-1`, 'keys');
  const admin = await serveAdmin(folder, { life } as DaemonContext);
  expect(readdirSync(folder.path)).toEqual(['admin.sock']);
  await expect(restore(folder.path, join(disk, 'none'))).rejects.toThrow('stop it first');
  await admin.close();
  await expect(restore(folder.path, join(disk, 'none'))).rejects.toThrow('cannot restore');
  expect(folder.isRestored).toBe(false);
});

test('nothing is restored over a manager whose state is in an etcd', async () => {
  new StateFolder(disk).writeLocal({ ...LOCAL, store: 'etcd' });
  await expect(restore(disk, join(disk, 'none'))).rejects.toThrow('nothing was changed');
});

test('nothing is restored beside a member of the managers’ own etcd', async () => {
  mkdirSync(join(disk, 'etcd'));
  writeFileSync(join(disk, 'etcd/member.json'), '{}');
  await expect(restore(disk, join(disk, 'none'))).rejects.toThrow(
    `a state is in '${disk}' already, in the etcd of its managers; nothing was changed`,
  );
});

test('what a host is, is written where it changed, and said where it can not be', () => {
  const folder = new StateFolder(disk);
  folder.writeLocal(LOCAL);
  // Nothing more can be written.
  mkdirSync(join(disk, 'manager.json.new'));
  folder.writeLocal(LOCAL);
  expect(() => folder.writeLocal({ ...LOCAL, nodeId: 'other' })).toThrow(
    `${join(disk, 'manager.json')} can't be written: is a directory`,
  );
  expect(folder.readLocal()?.nodeId).toBe('own');
});
