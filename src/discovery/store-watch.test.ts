import { afterEach, expect, test, vi } from 'vitest';
import { BrokenOffError } from './follow.ts';
import type { Listing } from './held-list.ts';
import { watchStore } from './store-watch.ts';

afterEach(() => void vi.restoreAllMocks());

const LISTING: Listing = { registrations: [{ key: 'nodes/a:1', value: 'a:1' }] };

/** What a watch tells of a store whose following ends with these words, each after so long; it lists each time. */
async function told(
  breaks: readonly { afterMs: number; lists?: boolean; silent?: boolean }[],
): Promise<string[]> {
  let nowMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const stop = new AbortController();
  const left = [...breaks];
  async function* follow(): AsyncGenerator<Listing> {
    const turn = left.shift();
    if (!turn) return stop.abort();
    if (turn.lists ?? true) yield LISTING;
    nowMs += turn.afterMs;
    throw turn.silent ? new Error('silent') : new BrokenOffError(new Error('cut'));
  }
  const said: string[] = [];
  for await (const event of watchStore({ follow, signal: stop.signal }))
    said.push(event.kind === 'trouble' ? event.message : event.entries.map(({ address }) => address).join());
  return said;
}

test('a connection that ends after a long time and is there again at once is no trouble', async () => {
  expect(await told([{ afterMs: 60_000 }, { afterMs: 60_000 }, { afterMs: 60_000 }])).toEqual([
    'a:1',
    'a:1',
    'a:1',
  ]);
});

test('a store that is down afterwards is', async () => {
  expect(await told([{ afterMs: 60_000 }, { afterMs: 0, lists: false }, { afterMs: 60_000 }])).toEqual([
    'a:1',
    'cut',
    'a:1',
  ]);
});

test('one that falls silent is, at once', async () => {
  expect(await told([{ afterMs: 60_000, silent: true }, { afterMs: 60_000 }])).toEqual([
    'a:1',
    'silent',
    'a:1',
  ]);
});

test('one that ends soon is, at once', async () => {
  expect(await told([{ afterMs: 10 }, { afterMs: 60_000 }])).toEqual(['a:1', 'cut', 'a:1']);
});
