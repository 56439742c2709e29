import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diffEntries } from './entry-diff.ts';
import { OverlayReader } from './overlay-reader.ts';
import { readOverlay, type EntryOwner } from './overlay-view.ts';
import { overlayText, type OverlayEntries } from './testing.ts';

const HOSTS = ['192.168.0.3', '192.168.0.4'];
const owners: readonly (EntryOwner | '')[] = ['engine', 'balancer', 'kernel', ''];
const known = fc.dictionary(
  fc.integer({ min: 2, max: 90 }).map((last) => `10.0.1.${last}`),
  fc.tuple(
    fc.constantFrom<EntryOwner | ''>('engine', 'balancer', ''),
    fc.constantFrom(...owners),
    fc.constantFrom(...HOSTS),
  ),
  { maxKeys: 80 },
);

test('a view that follows listings is the one that each gives by itself', () => {
  fc.assert(
    fc.property(fc.array(known, { maxLength: 5 }), (listings) => {
      const reader = new OverlayReader();
      for (const entries of listings) {
        const text = overlayText(entries);
        reader.read(text);
        expect(reader.view).toEqual(readOverlay(text));
        expect(reader.read(text)).toEqual(new Set());
      }
    }),
    { numRuns: 60 },
  );
});

test('what changed is named', () => {
  const reader = new OverlayReader();
  const entries = Object.fromEntries(
    Array.from({ length: 100 }, (_, at) => [`10.0.1.${at + 2}`, ['engine', 'engine', HOSTS[0]]]),
  ) as OverlayEntries;
  expect(reader.read(overlayText(entries))).toBe('all');
  const rest = Object.fromEntries(Object.entries(entries).filter(([address]) => address !== '10.0.1.50'));
  const next: OverlayEntries = {
    ...rest,
    '10.0.1.9': ['balancer', 'engine', '192.168.0.4'],
    '10.0.1.200': ['', 'kernel', '192.168.0.4'],
  };
  expect(reader.read(overlayText(next))).toEqual(new Set(['10.0.1.50', '10.0.1.9', '10.0.1.200']));
});

test('a listing that makes no sense is not believed, and the next one is read whole', () => {
  const reader = new OverlayReader();
  const entries: OverlayEntries = { '10.0.1.7': ['engine', 'engine', '192.168.0.3'] };
  reader.read(overlayText(entries));
  expect(() => reader.read('[]')).toThrow();
  expect(reader.read(overlayText(entries))).toBe('all');
});

test('an address that is behind several hosts is read whole', () => {
  const reader = new OverlayReader();
  const text = overlayText({ '10.0.1.7': ['engine', 'engine', '192.168.0.3'] });
  const second = text.replace(
    /\{"mac":"02:42:0a:00:01:07"[^}]*\}/,
    (entry) => `${entry},${entry.replace('0.3', '0.4')}`,
  );
  reader.read(text);
  expect(reader.read(second)).toBe('all');
  expect(reader.view).toEqual(readOverlay(second));
});

test('entries that differ, whatever they are', () => {
  const entries = fc.array(fc.record({ a: fc.integer({ min: 0, max: 9 }) }), { maxLength: 60 });
  fc.assert(
    fc.property(entries, entries, (before, after) => {
      const diff = diffEntries(JSON.stringify(before), `${JSON.stringify(after)}\n`);
      if (!diff) return;
      const sorted = (all: readonly unknown[]): string[] => all.map((one) => JSON.stringify(one)).sort();
      expect(sorted([...before, ...diff.added])).toEqual(sorted([...after, ...diff.removed]));
    }),
    { numRuns: 200 },
  );
  expect(diffEntries('[{"a":1},{"a":2}]', '[{"a":1},{"a":3},{"a":2}]')).toEqual({
    removed: [],
    added: [{ a: 3 }],
  });
  expect(diffEntries('', '[{"a":1}]')).toEqual({ removed: [], added: [{ a: 1 }] });
  expect(diffEntries('[{"a":{"b":1},"c":2}]', '[{"a":{"b":2},"c":2}]')).toBeUndefined();
  expect(diffEntries('x', '[{"a":1}]')).toBeUndefined();
});
