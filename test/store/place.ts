import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  openStore,
  type Backend,
  type Row,
  type RowWrite,
  type Store,
  type StoreOptions,
} from '../../src/store/index.ts';

/** Where a state can be kept: opened again, it is the same. */
export type Place =
  | { open(): Backend }
  /** Opens the store itself, so that it can be written; `beforeCommit` may throw. */
  | { openStore(options: StoreOptions, beforeCommit: () => void): Promise<Store> };

/** A store in a place, opened for a test and closed after it. */
export async function storeAt(
  place: Place,
  options: { readonly nowMs?: () => number; readonly onFault?: (error: unknown) => void } = {},
): Promise<Store> {
  const onFault = (error: unknown): void => {
    throw error;
  };
  const all = { nowMs: () => 1_000, onFault, ...options };
  const store =
    'open' in place ? await openStore(place.open(), all) : await place.openStore(all, () => undefined);
  onTestFinished(() => store.close());
  return store;
}

/** A folder of a test. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skep-store-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** etcd's limits with its defaults: operations (one is the revision's) and bytes of a request. */
const MOST_ROWS = 127;
const MOST_BYTES = 1.5 * 1024 * 1024;

/** A place in memory that holds a store to etcd's limits; `later` has commits take a while, as over a network. */
export class KeptRows {
  readonly rows = new Map<string, Row>();
  revision = 0;
  readonly #later: boolean;

  constructor(later: boolean) {
    this.#later = later;
  }

  open(): Backend {
    return {
      load: () => Promise.resolve({ revision: this.revision, rows: [...this.rows.values()] }),
      commit: (revision, writes) => {
        if (!this.#later) return this.#commit(revision, writes);
        return new Promise((resolve) => setImmediate(() => resolve(this.#commit(revision, writes))));
      },
      close: () => Promise.resolve(),
    };
  }

  #commit(revision: number, writes: readonly RowWrite[]): void {
    if (revision !== this.revision + 1) throw new Error(`revision ${revision} after ${this.revision}`);
    const keys = writes.map(({ table, id }) => `${table}/${id}`);
    if (new Set(keys).size !== keys.length) throw new Error('a row is written twice');
    const bytes = writes.reduce(
      (sum, row) => sum + (row.json === null ? 0 : row.json.length + (row.payload?.byteLength ?? 0)),
      0,
    );
    if (writes.length > MOST_ROWS || bytes > MOST_BYTES)
      throw new Error(`${writes.length} rows, ${bytes} bytes`);
    for (const row of writes) {
      const key = `${row.table}/${row.id}`;
      if (row.json === null) this.rows.delete(key);
      else this.rows.set(key, { ...row, ...(row.payload ? { payload: row.payload.slice() } : {}) });
    }
    this.revision = revision;
  }
}

/** The place, with commits that fail when told to: before they reach it. */
export function failing(place: Place): Place & { fail: boolean } {
  const check = (): void => {
    if (faults.fail) throw new Error('no space left on device');
  };
  const faults = {
    fail: false,
    ...('open' in place
      ? {
          open: (): Backend => {
            const backend = place.open();
            return {
              load: () => backend.load(),
              commit: (revision: number, writes: readonly RowWrite[]) => {
                check();
                return backend.commit(revision, writes);
              },
              close: () => backend.close(),
            };
          },
        }
      : { openStore: (options: StoreOptions) => place.openStore(options, check) }),
  };
  return faults;
}
