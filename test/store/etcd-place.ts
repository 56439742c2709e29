import { onTestFinished } from 'vitest';
import {
  createCluster,
  EtcdClient,
  Lead,
  openEtcdStore,
  parseEtcdAddress,
  type EtcdOptions,
  type EtcdStore,
  type LeadOptions,
  type Store,
  type StoreOptions,
  type Term,
} from '../../src/store/index.ts';
import { until } from '../hosts/index.ts';
import type { Etcd } from '../stores/etcd.ts';
import type { Place } from './place.ts';

const LATEST_MS = 30_000;
/** A lease that outlasts every delay of a busy machine; who closes gives it up. */
const LONG_MS = 60_000;
let swarms = 0;

/** What the managers of one swarm share. */
export interface SharedPlace {
  readonly endpoint: string;
  readonly prefix: string;
  readonly clusterId: string;
}

/** A swarm's state of its own, in an etcd that others use too. */
export function sharedPlace({ endpoint }: Pick<Etcd, 'endpoint'>): SharedPlace {
  const number = ++swarms;
  return { endpoint, prefix: `/test-${number}`, clusterId: `swarm${number}` };
}

type Txn = ReturnType<EtcdClient['txn']>;

/** A client whose transactions can be meddled with. */
export class TestClient extends EtcdClient {
  onTxn: (send: () => Txn) => Txn = (send) => send();

  override txn(...args: Parameters<EtcdClient['txn']>): Txn {
    return this.onTxn(() => super.txn(...args));
  }
}

export function testClient(place: SharedPlace, options: Partial<EtcdOptions> = {}): TestClient {
  const client = new TestClient({ ...parseEtcdAddress(`etcd://${place.endpoint}`), ...options });
  onTestFinished(() => client.close());
  return client;
}

/** One manager of a swarm, as far as its state goes. */
export interface TestManager {
  readonly client: TestClient;
  readonly store: EtcdStore;
  readonly lead: Lead;
  /** What it said of etcd's troubles. */
  readonly troubles: (string | undefined)[];
  /** Takes part in the election until `resign`, and writes in every term. Resolves when it does so. */
  campaign(): Promise<Term>;
  resign(): Promise<void>;
  readonly close: () => Promise<void>;
}

export interface ManagerOptions extends Partial<StoreOptions> {
  readonly name?: string;
  readonly ttlMs?: number;
  readonly client?: Partial<EtcdOptions>;
  readonly askUnlockKey?: (signal: AbortSignal) => Promise<Uint8Array>;
}

export async function openManager(place: SharedPlace, options: ManagerOptions = {}): Promise<TestManager> {
  const { prefix, clusterId } = place;
  const { name = 'one', ttlMs = LONG_MS } = options;
  const client = testClient(place, options.client);
  const asked = { signal: AbortSignal.timeout(LATEST_MS) };
  await createCluster(client, prefix, clusterId, asked, options.layouts?.newest);
  const troubles: (string | undefined)[] = [];
  const store = await openEtcdStore(client, {
    prefix,
    clusterId,
    nowMs: options.nowMs ?? (() => 1_000),
    onFault:
      options.onFault ??
      ((error) => {
        throw error;
      }),
    onTrouble: (message) => troubles.push(message),
    ...(options.keyring ? { keyring: options.keyring } : {}),
    ...(options.layouts ? { layouts: options.layouts } : {}),
    ...(options.askUnlockKey ? { askUnlockKey: options.askUnlockKey } : {}),
  });
  const leadOptions: LeadOptions = {
    prefix,
    clusterId,
    self: { id: name, addr: `${name}:2377` },
    ttlMs,
  };
  const lead = new Lead(client, leadOptions);
  let over = new AbortController();
  let running: Promise<void> | undefined;
  const resign = async (): Promise<void> => {
    over.abort();
    await running;
  };
  const manager: TestManager = {
    client,
    store,
    lead,
    troubles,
    campaign: async () => {
      over = new AbortController();
      const signal = over.signal;
      let term: Term | undefined;
      const end = lead.listen(() => {
        if (!lead.term || lead.term === term) return;
        term = lead.term;
        // A term that ends before it has begun is followed by another.
        store.lead(term).catch(() => undefined);
      });
      running = lead.run({ signal }).finally(end);
      return until('it leads and writes', LATEST_MS, () => (store.isWriter ? lead.term : undefined));
    },
    resign,
    close: async () => {
      await store.close();
      await resign();
      client.close();
    },
  };
  onTestFinished(() => manager.close());
  return manager;
}

/** The place as the contract uses it: a manager that leads. */
export function leadingPlace(
  etcd: Pick<Etcd, 'endpoint'>,
): Extract<Place, { openStore: unknown }> & SharedPlace {
  const place = sharedPlace(etcd);
  return {
    ...place,
    openStore: async (options, beforeCommit): Promise<Store> => {
      const manager = await openManager(place, options);
      await manager.campaign();
      manager.client.onTxn = async (send) => {
        beforeCommit();
        return send();
      };
      const { store, close } = manager;
      return {
        view: store.view,
        layout: store.layout,
        update: (change) => store.update(change),
        batch: (items, change) => store.batch(items, change),
        lock: store.lock,
        watch: (listener) => store.watch(listener),
        caughtUp: (signal) => store.caughtUp(signal),
        close,
      };
    },
  };
}
