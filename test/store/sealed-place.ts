import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Keyring, openStore, sqliteBackend, type Backend } from '../../src/store/index.ts';
import { keysOf } from '../../src/store/etcd/keys.ts';
import type { Etcd } from '../stores/etcd.ts';
import { leadingPlace } from './etcd-place.ts';
import { KeptRows, testFolder, type Place } from './place.ts';

type OpensItself = Extract<Place, { openStore: unknown }>;

/** A lock that is in force, and who can open it. */
function lock(): { keyring: Keyring; id: string; json: string } {
  const keyring = new Keyring();
  const meta = { version: 0, createdAtMs: 0, updatedAtMs: 0 };
  const seal = { ...keyring.newSeal('sealed'), meta };
  return { keyring, id: seal.id, json: JSON.stringify(seal) };
}

function over(keyring: Keyring, open: () => Backend): OpensItself {
  return {
    openStore: (options, beforeCommit) => {
      const backend = open();
      const checked: Backend = {
        load: () => backend.load(),
        commit: (revision, writes) => {
          beforeCommit();
          return backend.commit(revision, writes);
        },
        close: () => backend.close(),
      };
      return openStore(checked, { ...options, keyring });
    },
  };
}

/** Places whose state is sealed before its first commit. */
export function sealedRowsPlace(): Place & { readonly kept: KeptRows } {
  const { keyring, id, json } = lock();
  const kept = new KeptRows(false);
  kept.rows.set(`seal/${id}`, { table: 'seal', id, json });
  return { ...over(keyring, () => kept.open()), kept };
}

export function sealedSqlitePlace(): Place & { readonly folder: string } {
  const { keyring, id, json } = lock();
  const folder = testFolder();
  const place = over(keyring, () => sqliteBackend(folder));
  let seeded: Promise<void> | undefined;
  const seed = async (): Promise<void> => {
    await sqliteBackend(folder).close();
    const database = new DatabaseSync(join(folder, 'state.db'));
    database.prepare('INSERT INTO rows (tbl, id, json) VALUES (?, ?, ?)').run('seal', id, json);
    database.close();
  };
  return {
    folder,
    openStore: async (options, beforeCommit) => {
      await (seeded ??= seed());
      return place.openStore(options, beforeCommit);
    },
  };
}

export async function putSeal(etcd: Etcd, prefix: string, clusterId: string): Promise<Keyring> {
  const { keyring, id, json } = lock();
  await etcd.etcdctl('put', Buffer.from(keysOf(prefix, clusterId).row('seal', id).json).toString(), json);
  return keyring;
}

export function sealedEtcdPlace(etcd: Etcd): Place {
  const place = leadingPlace(etcd);
  let keyring: Promise<Keyring> | undefined;
  return {
    openStore: async (options, beforeCommit) => {
      keyring ??= putSeal(etcd, place.prefix, place.clusterId);
      return place.openStore({ ...options, keyring: await keyring }, beforeCommit);
    },
  };
}
