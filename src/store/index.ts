/** The door of the store: the state of a swarm, kept. */
export type { LoopContext } from './loop-context.ts';
export { LAYOUTS, Layouts, type LayoutStep } from './layouts.ts';
export { memoryBackend } from './memory.ts';
export { reached } from './reached.ts';
export { restoreFrom, type RestoreOptions } from './restore.ts';
export { Keyring, LockedError } from './seal/keyring.ts';
export { runSealing } from './seal/run-sealing.ts';
export { parseUnlockKey } from './seal/unlock-key.ts';
export { sqliteBackend, type SqliteBackend } from './sqlite.ts';
export { openStore } from './store.ts';
export { soleLead, type LeadTerm, type LeadView } from './lead-view.ts';
export type { StoreOptions } from './write-queue.ts';
export {
  UPDATE_MAX_BYTES,
  UPDATE_MAX_ROWS,
  type Backend,
  type Fresh,
  type Listener,
  type NamedKind,
  type Row,
  type RowWrite,
  type Store,
  type StoreEvent,
  type Tx,
  type View,
} from './types.ts';
export { parseEtcdAddress, type EtcdAddress } from './etcd/address.ts';
export { backupEtcd } from './etcd/backup.ts';
export { EtcdClient, type EtcdOptions } from './etcd/client.ts';
export { createCluster, findCluster, removeCluster } from './etcd/cluster.ts';
export { Lead, type Leader, type LeadOptions, type Term } from './etcd/lead.ts';
export { finishMove, forgetMoved, movedTo, Move, type MovedTo } from './etcd/move.ts';
export { Presence, type Present, type PresenceOptions } from './etcd/presence.ts';
export type { EtcdTls } from './etcd/line.ts';
export { openEtcdStore, type EtcdStore, type EtcdStoreOptions } from './etcd/store.ts';
