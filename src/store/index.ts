/** The door of the store: the state of a swarm, kept. */
export type { LoopContext } from './loop-context.ts';
export { memoryBackend } from './memory.ts';
export { restoreFrom, type RestoreOptions } from './restore.ts';
export { sqliteBackend, type SqliteBackend } from './sqlite.ts';
export { openStore, type StoreOptions } from './store.ts';
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
