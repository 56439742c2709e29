import { describe, expect, it } from 'vitest';
import type { Row } from '../types.ts';
import { keysOf } from './keys.ts';
import { opsOf, RowReader } from './row-values.ts';

const keys = keysOf('/skep', 'abc');
const json = '{"id":"x","text":"ü\\n"}';

type Put = { key: Uint8Array; value: Uint8Array };

const puts = (row: Row): Put[] =>
  opsOf(keys, row).map((op) => (op.case === 'requestPut' ? op.value : expect.fail()));

const read = (kvs: readonly Put[]): Row[] => {
  const reader = new RowReader(keys);
  const rows = [...reader.read(kvs)];
  reader.end();
  return rows;
};

describe('rows in etcd', () => {
  it.each([
    ['without bytes', undefined, 1],
    ['with none', new Uint8Array(), 1],
    ['with few, among them line breaks', new Uint8Array([10, 61, 10, 43, 0, 255]), 1],
    ['with many', new Uint8Array(500_000).fill(10), 2],
  ])('%s are the same when they are read', (_, payload, count) => {
    const row: Row = { table: 'config', id: 'a/b%2F', json, ...(payload ? { payload } : {}) };
    expect(puts(row)).toHaveLength(count);
    expect(read(puts(row))).toEqual([row]);
  });

  it('are removed with all that belongs to them, and nothing else', () => {
    const [op] = opsOf(keys, { table: 'config', id: 'a', json: null });
    if (op?.case !== 'requestDeleteRange') expect.fail();
    const { key, rangeEnd } = op.value;
    const inIt = (one: Uint8Array): boolean =>
      Buffer.compare(one, key) >= 0 && Buffer.compare(one, rangeEnd) < 0;
    expect([keys.row('config', 'a').json, keys.row('config', 'a').data].every(inIt)).toBe(true);
    for (const id of ['', 'a0', 'a-b', 'a!', 'a/b', 'b', 'A'])
      expect(inIt(keys.row('config', id).json), id).toBe(false);
  });

  it('are read without the bytes of a former version', () => {
    const [, old] = puts({ table: 'config', id: 'x', json, payload: new Uint8Array(500_000) });
    const now: Row = { table: 'config', id: 'x', json, payload: new Uint8Array([1]) };
    expect(read([...puts(now), old ?? expect.fail()])).toEqual([now]);
  });

  it('that lack their bytes are damaged', () => {
    const [first] = puts({ table: 'config', id: 'x', json, payload: new Uint8Array(500_000) });
    expect(() => read([first ?? expect.fail()])).toThrow('the row config/x lacks its bytes');
  });
});

describe('keys of the state', () => {
  it('are told apart, and from all others', () => {
    const at = (text: string): unknown => keys.read(Buffer.from(text));
    expect(at('/skep/abc/state/revision')).toEqual({ kind: 'revision' });
    expect(at('/skep/abc/state/layout')).toEqual({ kind: 'layout' });
    expect(keys.read(keys.row('task', '__proto__').json)).toEqual({
      kind: 'row',
      table: 'task',
      id: '__proto__',
    });
    expect(keys.read(keys.row('task', 'x').data)).toEqual({ kind: 'data', table: 'task', id: 'x' });
    for (const other of [
      '/skep/abc/leader',
      '/skep/abc/state/rows/a',
      '/skep/abc/state/rows/a/b',
      '/skep/abc/state/rows/a/b/c',
    ])
      expect(at(other), other).toBeUndefined();
  });
});
