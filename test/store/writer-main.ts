// Writes to a state until it is killed, and says on standard output what has been acknowledged, a line each:
// the kind of write, a number, and the revision.
import { writeSync } from 'node:fs';
import {
  EtcdClient,
  Lead,
  openEtcdStore,
  openStore,
  parseEtcdAddress,
  sqliteBackend,
  type Store,
} from '../../src/store/index.ts';
import { config } from './objects.ts';

/** A folder, or the place in an etcd as JSON; and the first number to write. */
const [target = '', first = '0'] = process.argv.slice(2);
const options = { nowMs: Date.now, onFault: (error: unknown) => console.error(error) };
const store = target.startsWith('{') ? await inEtcd() : await openStore(sqliteBackend(target), options);
const say = (kind: string, number: number): void => {
  // At once, not through a queue that dies with the process.
  writeSync(1, `${kind} ${number} ${store.view.revision}\n`);
};
say('open', 0);

async function inEtcd(): Promise<Store> {
  const place = JSON.parse(target) as { endpoint: string; prefix: string; clusterId: string };
  const client = new EtcdClient(parseEtcdAddress(`etcd://${place.endpoint}`));
  const shared = await openEtcdStore(client, { ...place, ...options });
  const lead = new Lead(client, { ...place, ttlMs: 6_000, self: { id: 'writer', addr: '' } });
  const won = new Promise<void>((resolve) => lead.listen(() => lead.term && resolve()));
  void lead.run({ signal: new AbortController().signal });
  await won;
  if (lead.term) await shared.lead(lead.term);
  return shared;
}

/** Two rows that belong together, with a payload. */
async function pair(number: number): Promise<void> {
  await store.update((tx) => {
    tx.create('config', config(`left-${number}`, 2_000));
    tx.create('config', config(`right-${number}`, 10));
  });
  say('pair', number);
}

/** Changes one row again and again. */
async function count(number: number): Promise<void> {
  await store.update((tx) => {
    const there = tx.get('config', 'config-counter');
    const next = {
      ...config('counter'),
      spec: { ...config('counter').spec, data: new TextEncoder().encode(String(number)) },
    };
    if (there) tx.update('config', { ...there, ...next });
    else tx.create('config', next);
  });
  say('count', number);
}

/** Many rows, which stay until the next batch is acknowledged. */
async function batch(number: number): Promise<void> {
  const items = Array.from({ length: 150 }, (_, index) => index);
  await store.batch(items, (tx, index) => void tx.create('config', config(`batch-${number}-${index}`, 100)));
  say('batch', number);
  await store.batch(items, (tx, index) => void tx.remove('config', `config-batch-${number - 1}-${index}`));
  say('gone', number - 1);
}

for (let number = Number(first); ; number++) await Promise.all([pair(number), count(number), batch(number)]);
