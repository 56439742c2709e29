import { SwarmError } from '../base/errors.ts';
import type { Seal, Service, Task } from '../model/index.ts';
import { Overlay, type Change } from './overlay.ts';
import { isKind, NewSpecs, type NewSpec, type RowCodec } from './rows.ts';
import { referencesOf, type Tables } from './tables.ts';
import { Transaction } from './transaction.ts';
import { UPDATE_MAX_BYTES, UPDATE_MAX_ROWS, type RowWrite, type Tx } from './types.ts';

/** Rows of one commit: UPDATE_MAX_ROWS, the specs they bring, and litter. etcd takes 128, and one is the revision's. */
const COMMIT_MAX_ROWS = 120;
/** Updates that one commit takes, so that those which write nothing leave room for others too. */
const MOST_RUNS = 1000;

/** What is to be committed together: updates are run here, one after the other, until one does not fit any more. */
export class CommitPlan {
  readonly #overlay = new Overlay();
  readonly #newSpecs = new NewSpecs();
  readonly #codec: RowCodec;
  readonly #tx: Transaction;
  /** What is written as it was, by table and id. */
  readonly #again = new Map<string, RowWrite>();
  #runs = 0;
  #bytes = 0;

  constructor(tables: Tables, codec: RowCodec, nowMs: number) {
    this.#codec = codec;
    this.#tx = new Transaction(tables, this.#overlay, nowMs);
  }

  get isEmpty(): boolean {
    return this.#overlay.size === 0 && this.#again.size === 0;
  }

  /** What seals the state when this is committed. */
  seal(): Seal | undefined {
    for (const seal of this.#tx.all('seal')) return seal;
    return undefined;
  }

  /** Takes a row that is to be written once more as it is; false when it does not fit. */
  writeAgain(row: RowWrite): boolean {
    const bytes = bytesOf(row);
    if (this.#again.size > 0 || this.#overlay.size > 0) {
      if (this.#size + 1 > UPDATE_MAX_ROWS) return false;
      if (this.#bytes + this.#newSpecs.bytes + bytes > UPDATE_MAX_BYTES) return false;
    }
    this.#again.set(`${row.table}/${row.id}`, row);
    this.#bytes += bytes;
    return true;
  }

  get #size(): number {
    return this.#overlay.size + this.#again.size;
  }

  changes(): readonly Change[] {
    return this.#overlay.all();
  }

  /**
   * Runs an update; undefined when it does not fit, and then nothing of it is left. Throws what it throws, and
   * `too-large`, likewise.
   */
  run<T, I>(change: (tx: Tx, item: I) => T, item: I): { readonly value: T } | undefined {
    if (this.#runs >= MOST_RUNS) return undefined;
    this.#runs++;
    this.#overlay.begin();
    this.#tx.open = true;
    try {
      const value = change(this.#tx, item);
      if (this.#overlay.stepSize > 0 && !this.#take()) return undefined;
      return { value };
    } catch (error) {
      this.#overlay.undo();
      throw error;
    } finally {
      this.#tx.open = false;
    }
  }

  /** Encodes what the step wrote; takes it back and returns false when it does not fit. */
  #take(): boolean {
    const isFirst = this.#size === this.#overlay.stepSize;
    const rows = this.#overlay.stepSize;
    let own = 0;
    let replaced = 0;
    const specs = new Set<NewSpec>();
    if (rows <= UPDATE_MAX_ROWS) {
      for (const { change, before } of this.#overlay.ofStep()) {
        checkIndexed(change);
        const encoded = this.#codec.encode(change.kind, change.id, change.object, this.#newSpecs);
        change.encoded = encoded;
        own += encoded.bytes;
        replaced += before?.encoded?.bytes ?? 0;
        if (encoded.newSpec) specs.add(encoded.newSpec);
      }
    }
    let size = own;
    for (const { bytes } of specs) size += bytes;
    if (rows > UPDATE_MAX_ROWS || size > UPDATE_MAX_BYTES) throw tooLarge(rows, size);
    const total = this.#bytes + own - replaced;
    if (!isFirst && (this.#size > UPDATE_MAX_ROWS || total + this.#newSpecs.bytes > UPDATE_MAX_BYTES)) {
      this.#overlay.undo();
      return false;
    }
    this.#bytes = total;
    return true;
  }

  /** What is to be written; `litter` gives up what goes with it. */
  rows(litter: RowWrite[]): RowWrite[] {
    const rows: RowWrite[] = [];
    const specs = new Set<NewSpec>();
    for (const { encoded } of this.#overlay.all()) {
      if (!encoded) continue;
      rows.push(encoded.row);
      if (encoded.newSpec) specs.add(encoded.newSpec);
    }
    const written = new Set<string>();
    for (const { row } of specs) {
      rows.push(row);
      written.add(row.id);
    }
    for (const row of this.#again.values()) {
      // Who changed it meanwhile has written it.
      const isChanged = isKind(row.table) ? this.#overlay.get(row.table, row.id) : written.has(row.id);
      if (!isChanged) rows.push(row);
    }
    for (const row of litter.splice(0, COMMIT_MAX_ROWS - rows.length))
      if (this.#codec.isLitter(row) && !written.has(row.id)) rows.push(row);
    return rows;
  }
}

/** An object that the indexes can't take must fail its update, not the store once it is committed. */
function checkIndexed({ kind, object }: Change): void {
  if (kind === 'service' && object) referencesOf(object as Service);
}

function bytesOf(row: RowWrite): number {
  return row.json === null ? 0 : Buffer.byteLength(row.json) + (row.payload?.byteLength ?? 0);
}

/** What an update that wrote too much is told. */
function tooLarge(rows: number, bytes: number): SwarmError {
  const what = rows > UPDATE_MAX_ROWS ? `${rows} rows` : `${bytes} bytes`;
  return new SwarmError('too-large', `an update of ${what} is too large`);
}

/** Notes with the codec what was committed of tasks; returns the row that nobody needs any more, if any. */
export function noteTask(codec: RowCodec, { id, object, committed, encoded }: Change): RowWrite | undefined {
  const next = (object ?? undefined) as Task | undefined;
  return codec.applied(id, committed as Task | undefined, next, encoded?.shared === true);
}
