import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
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

test('a daemon that forgets its state takes no folder that has one', async () => {
  writeFileSync(join(disk, 'state.db'), '');
  const options: DaemonOptions = {
    listen: [{ kind: 'unix', path: join(disk, 'api.sock') }],
    activated: false,
    open: false,
    engine: parseEngineAddress(`unix://${join(disk, 'engine.sock')}`),
    store: { kind: 'memory' },
    storeMember: 'auto',
    balancer: 'off',
    stateDir: disk,
  };
  const served = serve(options, { signal: AbortSignal.abort(), log: createLog('fatal'), env: {} });
  await expect(served).rejects.toThrow('holds a state');
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
  const place = { host: '10.0.0.1', port: 2377 };
  new StateFolder(disk).writeLocal({
    nodeId: 'own',
    store: 'etcd',
    listen: place,
    advertise: place,
    dataPath: '',
  });
  await expect(restore(disk, join(disk, 'none'))).rejects.toThrow('nothing was changed');
});
