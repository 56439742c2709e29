import { SwarmError } from '../../base/errors.ts';
import { writeRowsBackup } from '../backup.ts';
import { LAYOUTS, type Layouts } from '../layouts.ts';
import type { EtcdClient } from './client.ts';
import { keysOf } from './keys.ts';
import { readSnapshot } from './snapshot.ts';
import type { StatePlace } from './state-copy.ts';

/**
 * Writes the state as it is at one moment to a new file (0600), whole or not at all: the kind of file that a backup of SQLite is, so
 * that `restoreFrom` takes it. Nobody waits for it. Rejects with `conflict` when the file is there, `unavailable` when the state
 * can't be read or the file not be written.
 */
export async function backupEtcd(
  client: EtcdClient,
  { prefix, clusterId }: StatePlace,
  path: string,
  signal: AbortSignal,
  layouts: Layouts = LAYOUTS,
): Promise<void> {
  const { stored, layout, rows } = await readSnapshot(
    client,
    keysOf(prefix, clusterId),
    layouts,
    signal,
  ).catch((error: unknown) => {
    if (error instanceof SwarmError) throw error;
    throw new SwarmError('unavailable', `cannot read the state in ${client.where}`, { cause: error });
  });
  await writeRowsBackup({ revision: stored.revision, layout, rows }, path, layouts);
}
