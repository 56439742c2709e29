import type { KeyValue } from '../../../proto/generated/etcd/rpc_pb.js';
import type { Row, RowWrite } from '../types.ts';
import type { Keys } from './keys.ts';

/** Larger payloads have a key of their own; of these a commit, at its 1 MiB, has six at most. */
const WITH_ITS_ROW_BYTES = 160 * 1024;
/** JSON has no line break: what follows the first one is the payload. */
const LINE = 0x0a;
/** How it follows: itself, or in its own key. */
const [HERE, APART] = [0x3d, 0x2b]; // = and +

/** One operation of a transaction. */
export type Op =
  | { readonly case: 'requestPut'; readonly value: { readonly key: Uint8Array; readonly value: Uint8Array } }
  | {
      readonly case: 'requestDeleteRange';
      readonly value: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array };
    };

/** What writes a row, or removes it with all that belongs to it. */
export function opsOf(keys: Keys, row: RowWrite): Op[] {
  const at = keys.row(row.table, row.id);
  if (row.json === null) return [{ case: 'requestDeleteRange', value: at.both }];
  const { json, payload } = row;
  const put = (key: Uint8Array, value: Uint8Array): Op => ({ case: 'requestPut', value: { key, value } });
  if (!payload) return [put(at.json, Buffer.from(json))];
  if (payload.byteLength <= WITH_ITS_ROW_BYTES)
    return [put(at.json, Buffer.concat([Buffer.from(json), Buffer.of(LINE, HERE), payload]))];
  return [put(at.json, Buffer.concat([Buffer.from(json), Buffer.of(LINE, APART)])), put(at.data, payload)];
}

/** The same, where another version of the row may be there: its large bytes go with it. */
export function opsOver(keys: Keys, row: RowWrite): Op[] {
  const ops = opsOf(keys, row);
  if (row.json === null || keyCount(row) === 2) return ops;
  const { data } = keys.row(row.table, row.id);
  return [...ops, { case: 'requestDeleteRange', value: { key: data, rangeEnd: new Uint8Array() } }];
}

/** How many keys a row has. */
export function keyCount({ payload }: Row): number {
  return payload !== undefined && payload.byteLength > WITH_ITS_ROW_BYTES ? 2 : 1;
}

/** Reads rows of keys that come in etcd's order, a row's bytes right behind it. Throws for what is damaged. */
export class RowReader {
  readonly #keys: Keys;
  #waiting: Row | undefined;

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  *read(kvs: Iterable<Pick<KeyValue, 'key' | 'value'>>): Generator<Row> {
    for (const { key, value } of kvs) {
      const at = this.#keys.read(key);
      if (at?.kind === 'row') {
        this.end();
        const { row, isWhole } = rowOf(at.table, at.id, value);
        if (isWhole) yield row;
        else this.#waiting = row;
      } else if (at?.kind === 'data') {
        const row = this.#waiting;
        // Bytes of a former version of the row stay until the row goes.
        if (row?.table !== at.table || row.id !== at.id) continue;
        this.#waiting = undefined;
        // A copy: the bytes are a part of the whole answer.
        yield { ...row, payload: new Uint8Array(value) };
      }
    }
  }

  /** Behind the last key. */
  end(): void {
    const row = this.#waiting;
    if (row) throw new Error(`the row ${row.table}/${row.id} lacks its bytes`);
  }
}

function rowOf(table: string, id: string, value: Uint8Array): { row: Row; isWhole: boolean } {
  const cut = value.indexOf(LINE);
  const text = Buffer.from(value.subarray(0, cut === -1 ? value.length : cut)).toString();
  const row: Row = { table, id, json: text };
  if (cut === -1) return { row, isWhole: true };
  if (value[cut + 1] === APART) return { row, isWhole: false };
  return { row: { ...row, payload: new Uint8Array(value.subarray(cut + 2)) }, isWhole: true };
}
