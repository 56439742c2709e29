/**
 * Commits of one small object a second, by one writer that waits for each and by sixteen side by side: in memory, in SQLite,
 * and in an etcd of one member on loopback; beside them plain puts to that etcd. Files lie on the disk of /var/tmp.
 * Run: `npm run bench -- store`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createCluster,
  EtcdClient,
  Lead,
  memoryBackend,
  openEtcdStore,
  openStore,
  parseEtcdAddress,
  sqliteBackend,
  type Store,
} from '../src/store/index.ts';
import { config } from '../test/store/objects.ts';
import { startEtcd } from '../test/stores/etcd.ts';
import { throughput } from './figures.ts';

const DURATION_MS = 5_000;
const WRITERS = [1, 16];
const LONG_MS = 60_000;
const options = { nowMs: Date.now, onFault: (error: unknown) => console.error(error) };
let count = 0;

async function measure(name: string, write: (number: number) => Promise<unknown>): Promise<void> {
  const figures: string[] = [];
  for (const writers of WRITERS) {
    const perSecond = await throughput(writers, DURATION_MS, () => write(count++));
    figures.push(`${perSecond.toFixed(0)} a second by ${writers}`);
  }
  console.log(`${name.padEnd(10)} ${figures.join(', ')}`);
}

const commitTo =
  (store: Store) =>
  (number: number): Promise<unknown> =>
    store.update((tx) => void tx.create('config', config(`bench-${number}`, 10)));

/** The state of a swarm in an etcd, while this process leads. */
async function inEtcd(client: EtcdClient): Promise<{ store: Store; end: () => Promise<void> }> {
  const place = { prefix: '/bench', clusterId: 'bench' };
  await createCluster(client, place.prefix, place.clusterId, { signal: AbortSignal.timeout(LONG_MS) });
  const store = await openEtcdStore(client, { ...place, ...options });
  const lead = new Lead(client, { ...place, ttlMs: LONG_MS, self: { id: 'bench', addr: '' } });
  const stop = new AbortController();
  const won = new Promise<void>((resolve) => lead.listen(() => lead.term && resolve()));
  const leading = lead.run({ signal: stop.signal });
  await won;
  if (lead.term) await store.lead(lead.term);
  const end = async (): Promise<void> => {
    await store.close();
    stop.abort();
    await leading;
  };
  return { store, end };
}

const folder = await mkdtemp(join('/var/tmp', 'skep-bench-'));
try {
  const memory = await openStore(memoryBackend(), options);
  await measure('memory', commitTo(memory));
  const sqlite = await openStore(sqliteBackend(join(folder, 'sqlite')), options);
  await measure('SQLite', commitTo(sqlite));
  await sqlite.close();
  await using etcd = await startEtcd({ dataDir: join(folder, 'etcd'), heartbeat: 100 });
  const client = new EtcdClient(parseEtcdAddress(`etcd://${etcd.endpoint}`));
  const { store, end } = await inEtcd(client);
  await measure('etcd', commitTo(store));
  await end();
  const value = new Uint8Array(300);
  await measure('etcd, puts', (number) =>
    client.txn(
      {
        success: [
          { request: { case: 'requestPut', value: { key: Buffer.from(`/plain/${number}`), value } } },
        ],
      },
      { signal: AbortSignal.timeout(LONG_MS) },
    ),
  );
  client.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}
