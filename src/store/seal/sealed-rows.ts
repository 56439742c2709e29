import type { Seal } from '../../model/index.ts';
import { isOurs, parsed } from '../rows.ts';
import type { Row, RowWrite } from '../types.ts';
import type { DataKey } from './data-key.ts';
import type { Keyring } from './keyring.ts';

/** The one table that is never sealed: it has what opens the others. */
const SEAL = 'seal';
/** The JSON of a sealed row, which no object's is; its payload has the rest. */
const MARK = '{"sealed":1}';
/** In what is sealed, the length of the JSON; negative where a payload follows. */
const HEAD_BYTES = 4;

/** Rows as they are kept: sealed under this key, or as they are where there is none. */
export function sealedRows(rows: readonly RowWrite[], key: DataKey | undefined): readonly RowWrite[] {
  if (!key) return rows;
  return rows.map((row) => (row.json === null || row.table === SEAL ? row : sealedRow(row, key)));
}

/** Whether a row as it is kept is sealed. */
export function isSealed({ json }: RowWrite): boolean {
  return json === MARK;
}

/**
 * Rows as they were before they were sealed, plain ones included; the one with the seal may come anywhere among them, or be `seal`.
 * Throws a LockedError where there is a seal that no key opens, and other errors for rows that are damaged.
 */
export function* openedRows<R extends RowWrite>(
  rows: Iterable<R>,
  keyring: Keyring,
  seal?: Seal,
): Generator<R> {
  let key = seal && keyring.dataKey(seal);
  const waiting: R[] = [];
  for (const row of rows) {
    if (row.table === SEAL && row.json !== null) {
      key = keyring.dataKey(parsed(row) as Seal);
      yield row;
    } else if (!isSealed(row)) yield row;
    else if (key) yield openedRow(row, key);
    else waiting.push(row);
  }
  for (const row of waiting) {
    if (key) yield openedRow(row, key);
    else if (isOurs(row.table))
      throw new Error(`the row ${row.table}/${row.id} is sealed, and its seal is gone`);
  }
}

function sealedRow(row: Row, key: DataKey): Row {
  const { table, id, payload } = row;
  const json = Buffer.from(row.json);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeInt32BE(payload ? -json.length : json.length);
  const plain = Buffer.concat(payload ? [head, json, payload] : [head, json]);
  return { table, id, json: MARK, payload: key.seal(placeOf(row), plain) };
}

function openedRow<R extends RowWrite>(row: R, key: DataKey): R {
  const payload = row.json === null ? undefined : row.payload;
  try {
    const plain = Buffer.from(key.open(placeOf(row), payload ?? new Uint8Array()));
    const length = plain.readInt32BE();
    const end = HEAD_BYTES + Math.abs(length);
    const opened = { table: row.table, id: row.id, json: plain.toString('utf8', HEAD_BYTES, end) };
    return (length < 0 ? { ...opened, payload: new Uint8Array(plain.subarray(end)) } : opened) as R;
  } catch (cause) {
    throw new Error(`the row ${row.table}/${row.id} is damaged: its seal is broken`, { cause });
  }
}

function placeOf({ table, id }: RowWrite): string {
  return JSON.stringify([table, id]);
}
