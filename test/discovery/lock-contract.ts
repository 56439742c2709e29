import { describe, expect, test } from 'vitest';
import type { Discovery, Lock } from '../../src/discovery/index.ts';
import { until } from '../hosts/index.ts';
import type { StoreFixture, StoreTraits } from './fixture.ts';
import { SOON_MS } from './follower.ts';
import { ALONE, useStore, type StoreSuite } from './store-suite.ts';

const LONG_MS = 60_000;
const HELD = { kind: 'held' };
const takenBy = (by: string): object => ({ kind: 'taken', by });

interface Contender {
  lock: Lock;
  discovery: Discovery;
}

/** Makes contenders as other processes would be: each with a client of its own. */
function contenders(
  store: StoreSuite,
): (prefix: string, value: string, ttlMs?: number, name?: string) => Promise<Contender> {
  return async (prefix, value, ttlMs = LONG_MS, name = 'leader') => {
    const discovery = await store.open({ prefix });
    const lock = discovery.lock?.({ name, value, ttlMs });
    if (!lock) throw new Error(`${discovery.scheme} has no lock`);
    return { lock, discovery };
  };
}

/** What every store's lock does. Each test has a prefix of its own. */
export function lockContract(name: string, start: () => Promise<StoreFixture>, traits: StoreTraits): void {
  describe.concurrent(`${name} as a lock`, { timeout: 120_000 }, () => {
    const store = useStore(start);
    const { signal, newPrefix } = store;
    const contender = contenders(store);

    test('is held by one, renewed, given up and taken by the next', async () => {
      const prefix = newPrefix();
      const { lock: one } = await contender(prefix, 'one:4000');
      const { lock: two } = await contender(prefix, 'two:4000');
      expect(await one.renew({ signal })).toBe(false);
      await one.release({ signal });
      expect(await one.acquire({ signal })).toEqual(HELD);
      expect(await two.acquire({ signal })).toEqual(takenBy('one:4000'));
      expect(await one.acquire({ signal })).toEqual(HELD);
      expect(await one.renew({ signal })).toBe(true);
      expect(await store.fixture.get(`${prefix}/docker/swarm/leader`)).toBe('one:4000');
      expect(await two.renew({ signal })).toBe(false);
      await two.release({ signal }); // not its own: nothing happens
      expect(await one.renew({ signal })).toBe(true);
      await one.release({ signal });
      await until('the lock is free', SOON_MS, async () =>
        (await two.acquire({ signal })).kind === 'held' ? true : undefined,
      );
      expect(await one.renew({ signal })).toBe(false);
      expect(await one.acquire({ signal })).toEqual(takenBy('two:4000'));
    });

    test('locks of other names and prefixes are others', async () => {
      const prefix = newPrefix();
      const all = [
        (await contender(prefix, 'one')).lock,
        (await contender(prefix, 'two', LONG_MS, 'rescheduler')).lock,
        (await contender(prefix, 'three', LONG_MS, 'names/web')).lock,
        (await contender(`${prefix}/deeper`, 'four')).lock,
      ];
      for (const lock of all) expect(await lock.acquire({ signal })).toEqual(HELD);
      for (const lock of all) expect(await lock.renew({ signal })).toBe(true);
    });

    test('a holder with the same value is another holder', async () => {
      const prefix = newPrefix();
      const { lock: one } = await contender(prefix, 'same:4000');
      const { lock: two } = await contender(prefix, 'same:4000');
      expect(await one.acquire({ signal })).toEqual(HELD);
      expect(await two.acquire({ signal })).toEqual(takenBy('same:4000'));
      expect(await two.renew({ signal })).toBe(false);
      expect(await one.renew({ signal })).toBe(true);
    });

    test('a watch says who holds it, at once and at every change', async () => {
      const prefix = newPrefix();
      const { lock } = await contender(prefix, 'one:4000');
      const seen: (string | undefined)[] = [];
      const stop = new AbortController();
      const watched = (async () => {
        const { lock: watcher } = await contender(prefix, 'watcher');
        for await (const value of watcher.watch({ signal: stop.signal })) seen.push(value);
      })();
      const sees = (value: string | undefined): Promise<boolean> =>
        until(`the watch says ${value}`, SOON_MS, () =>
          seen.length > 0 && seen.at(-1) === value ? true : undefined,
        );
      await sees(undefined);
      expect(await lock.acquire({ signal })).toEqual(HELD);
      await sees('one:4000');
      expect(await lock.renew({ signal })).toBe(true);
      await lock.release({ signal });
      await sees(undefined);
      stop.abort();
      await watched;
      expect(seen).toEqual([undefined, 'one:4000', undefined]);
    });

    test('a holder that falls silent loses it, but not before its time', async () => {
      const prefix = newPrefix();
      const { lock: one, discovery } = await contender(prefix, 'one', traits.shortTtlMs);
      const { lock: two } = await contender(prefix, 'two', traits.shortTtlMs);
      expect(await one.acquire({ signal })).toEqual(HELD);
      const renewed = performance.now();
      expect(await one.renew({ signal })).toBe(true);
      await discovery.close?.();
      await until('the silent holder loses it', traits.goneWithinMs, async () =>
        (await two.acquire({ signal })).kind === 'held' ? true : undefined,
      );
      expect(performance.now() - renewed).toBeGreaterThanOrEqual(traits.shortTtlMs);
    });

    test('contenders never hold it together', async () => {
      const prefix = newPrefix();
      const rounds = 5;
      let holders = 0;
      let most = 0;
      const contend = async (value: string): Promise<void> => {
        const { lock } = await contender(prefix, value);
        for (let won = 0; won < rounds; won++) {
          await until(`${value} has its turn`, 60_000, async () =>
            (await lock.acquire({ signal })).kind === 'held' ? true : undefined,
          );
          most = Math.max(most, ++holders);
          expect(await lock.renew({ signal })).toBe(true);
          most = Math.max(most, holders--);
          await lock.release({ signal });
        }
      };
      await Promise.all(['one', 'two', 'three', 'four'].map(contend));
      expect(most).toBe(1);
    });
  });

  // With a server of their own, and one after another: they hurt it.
  describe.concurrent(`${name} as a lock in need`, { timeout: 120_000 }, () => {
    const store = useStore(start);
    const { signal, newPrefix } = store;
    const contender = contenders(store);

    test('a store that is down or silent is unavailable, and its watch ends so', ALONE, async () => {
      const prefix = newPrefix();
      const { lock } = await contender(prefix, 'one');
      const { lock: other } = await contender(prefix, 'two');
      expect(await lock.acquire({ signal })).toEqual(HELD);
      const unavailable = { code: 'unavailable' };
      const watching = (async () => {
        for await (const value of other.watch({ signal })) if (value === undefined) break;
      })();
      const broken = expect(watching).rejects.toMatchObject(unavailable);
      store.fixture.pause();
      try {
        await Promise.all([
          broken,
          expect(other.acquire({ signal })).rejects.toMatchObject(unavailable),
          expect(lock.renew({ signal })).rejects.toMatchObject(unavailable),
        ]);
      } finally {
        store.fixture.resume();
      }
      await until('it holds on', SOON_MS, async () => ((await lock.renew({ signal })) ? true : undefined));
      await store.fixture.stop();
      await expect(lock.acquire({ signal })).rejects.toMatchObject(unavailable);
      await expect(lock.renew({ signal })).rejects.toMatchObject(unavailable);
      await expect(lock.release({ signal })).rejects.toMatchObject(unavailable);
      await expect(other.acquire({ signal })).rejects.toMatchObject(unavailable);
      await store.fixture.start();
      await until('it is free or theirs again', SOON_MS, async () =>
        (await lock.acquire({ signal })).kind === 'held' ? true : undefined,
      );
    });

    test('a store that lost its data has lost the lock', ALONE, async () => {
      const prefix = newPrefix();
      const { lock } = await contender(prefix, 'one');
      expect(await lock.acquire({ signal })).toEqual(HELD);
      await store.fixture.stop();
      await store.fixture.start({ empty: true });
      const renewed = await until('an answer', SOON_MS, async () => ({ is: await lock.renew({ signal }) }));
      expect(renewed.is).toBe(false);
      expect(await lock.acquire({ signal })).toEqual(HELD);
    });
  });
}
