import { describe, expect, it } from 'vitest';
import { DataKey } from './data-key.ts';
import { Keyring, LockedError } from './keyring.ts';
import { openedRows, sealedRows } from './sealed-rows.ts';
import { newUnlockKey, parseUnlockKey, unlockKeyText } from './unlock-key.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const meta = { version: 1, createdAtMs: 0, updatedAtMs: 0 };

describe('an unlock key', () => {
  it('is read as it is shown', () => {
    const key = newUnlockKey();
    expect(unlockKeyText(key)).toMatch(/^SWMKEY-1-[A-Za-z0-9+/]{43}$/);
    expect(Buffer.from(parseUnlockKey(unlockKeyText(key)))).toEqual(Buffer.from(key));
  });

  it.each([
    '',
    'x',
    'SWMKEY-1',
    'SWMKEY-2-AAAA',
    'SWMKEY-1-A',
    'SWMKEY-1-AA==',
    'SWMKEY-1-A A',
    'SWMTKN-1-AAAA',
  ])('is not %j', (text) => expect(() => parseUnlockKey(text)).toThrow('invalid key string'));
});

describe('a data key', () => {
  it('opens what it sealed in its place, and nothing else', () => {
    const key = DataKey.make();
    const sealed = key.seal('here', bytes('words'));
    expect(Buffer.from(sealed).includes('words')).toBe(false);
    expect(Buffer.from(key.open('here', sealed)).toString()).toBe('words');
    expect(() => key.open('there', sealed)).toThrow();
    expect(() => DataKey.make().open('here', sealed)).toThrow();
    for (const at of [0, 5, 20, 30, sealed.length - 1]) {
      const changed = Uint8Array.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => key.open('here', changed)).toThrow();
    }
    for (const length of [0, 1, 17, 40]) expect(() => key.open('here', sealed.subarray(0, length))).toThrow();
  });

  it('never seals the same twice to the same', () => {
    const key = DataKey.make();
    const all = Array.from({ length: 100 }, () =>
      Buffer.from(key.seal('here', bytes('words'))).toString('hex'),
    );
    expect(new Set(all).size).toBe(100);
  });

  it('comes out of its wrapping with the one unlock key', () => {
    const [key, unlockKey] = [DataKey.make(), newUnlockKey()];
    const text = key.wrapped(unlockKey, 'here');
    const again = DataKey.unwrapped(unlockKey, 'here', text);
    expect(Buffer.from(again.open('x', key.seal('x', bytes('words')))).toString()).toBe('words');
    for (const other of [newUnlockKey(), bytes('short'), new Uint8Array()])
      expect(() => DataKey.unwrapped(other, 'here', text)).toThrow();
  });
});

describe('rows', () => {
  const rows = [
    { table: 'config', id: 'a', json: '{"id":"a"}', payload: bytes('\u0000raw') },
    { table: 'config', id: 'b', json: '{"id":"b","ü":"\\ud800"}', payload: new Uint8Array() },
    { table: 'node', id: 'c', json: '{"id":"c"}' },
    { table: 'task', id: 'gone', json: null },
  ] as const;

  it('are the same when they were sealed and opened, wherever their seal stands', () => {
    const keyring = new Keyring();
    const seal = { ...keyring.newSeal('sealed'), meta };
    const own = { table: 'seal', id: seal.id, json: JSON.stringify(seal) };
    const sealed = sealedRows([...rows, own], keyring.dataKey(seal));
    expect(sealed.at(-1)).toEqual(own);
    for (const order of [sealed, [...sealed].reverse(), [...sealed.slice(2), ...sealed.slice(0, 2)]]) {
      const opened = [...openedRows(order, keyring)].filter(({ table }) => table !== 'seal');
      expect(opened.sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(rows);
    }
  });

  it('without their seal, or with a foreign one, are not taken for others', () => {
    const keyring = new Keyring();
    const seal = { ...keyring.newSeal('sealed'), meta };
    const sealed = sealedRows(rows, keyring.dataKey(seal));
    expect(() => [...openedRows(sealed, new Keyring())]).toThrow('its seal is gone');
    expect(() => [...openedRows(sealed, new Keyring(), seal)]).toThrow(LockedError);
    const own = { table: 'seal', id: seal.id, json: '{"id":7}' };
    expect(() => [...openedRows([own], new Keyring())]).toThrow(LockedError);
  });
});
