import { describe, expect, test } from 'vitest';
import { eachLimited, pause } from '../../src/base/async.ts';
import { until } from '../hosts/index.ts';
import type { StoreFixture, StoreTraits } from './fixture.ts';
import { Follower, SOON_MS } from './follower.ts';
import { ALONE, LONG_MS, useStore } from './store-suite.ts';

/** For tests in which engines leave: a machine that stood still for a moment must not make them stay. */
const HICCUP_MS = 1_000;
const A = '10.0.0.1:2375';
const B = '10.0.0.2:2375';
const C = '[fd00::3]:2376';

/** What every store does as a discovery. Each test has a prefix of its own. */
export function discoveryContract(
  name: string,
  start: () => Promise<StoreFixture>,
  traits: StoreTraits,
): void {
  describe.concurrent(`${name} as a discovery`, { timeout: 120_000 }, () => {
    const store = useStore(start);
    const { newPrefix, open, list, register } = store;

    test('lists what is registered, under keys that others know', async () => {
      const prefix = newPrefix();
      const agent = await open({ prefix });
      const manager = await open({ prefix });
      expect(await list(manager)).toEqual([]);
      for (const address of [A, B, C, A]) await register(agent, address);
      expect(await list(manager)).toEqual([A, B, C].sort());
      expect(await store.fixture.get(`${prefix}/docker/swarm/nodes/${A}`)).toBe(A);
      expect(await list(await open({ prefix: `${prefix}/other` }))).toEqual([]);
    });

    test('works without a prefix', async () => {
      const discovery = await open();
      await register(discovery, A);
      expect(await list(discovery)).toEqual([A]);
      expect(await store.fixture.get(`docker/swarm/nodes/${A}`)).toBe(A);
    });

    test('keeps them below the prefix where kv.path says', async () => {
      const prefix = newPrefix();
      const discovery = await open({ prefix, store: { path: 'my/nodes' } });
      await register(discovery, A);
      expect(await list(discovery)).toEqual([A]);
      expect(await store.fixture.get(`${prefix}/my/nodes/${A}`)).toBe(A);
      expect(await list(await open({ prefix }))).toEqual([]);
    });

    test('a watch yields at once, at every change, and ends by its signal', async () => {
      const prefix = newPrefix();
      const agent = await open({ prefix });
      await using follower = new Follower(await open({ prefix }));
      await follower.shows([]);
      await register(agent, A);
      await follower.shows([A]);
      await register(agent, B);
      await follower.shows([A, B]);
      await follower.end();
      const events = [];
      for await (const event of agent.watch({ signal: AbortSignal.abort() })) events.push(event);
      expect(events).toEqual([]);
    });

    test('an engine that falls silent leaves, one that registers again stays or returns', async () => {
      const prefix = newPrefix();
      const [silent, alive] = [await open({ prefix }), await open({ prefix })];
      const manager = await open({ prefix, graceMs: HICCUP_MS });
      await using follower = new Follower(manager);
      await using beats = heartbeats(() => register(alive, B, traits.shortTtlMs));
      await using last = heartbeats(() => register(silent, A, traits.shortTtlMs));
      await follower.shows([A, B]);
      await last.stop();
      await silent.close?.();
      await follower.shows([B], traits.goneWithinMs);
      await until(`only ${B} is listed`, SOON_MS, async () =>
        (await list(manager)).join() === B ? true : undefined,
      );
      await beats.stop();
      await register(await open({ prefix }), A, LONG_MS);
      await until(`${A} is back`, SOON_MS, () => follower.addresses?.includes(A) || undefined);
    });

    test('the last engine to fall silent leaves too', async () => {
      const prefix = newPrefix();
      const agent = await open({ prefix });
      await using follower = new Follower(await open({ prefix, graceMs: HICCUP_MS }));
      await using last = heartbeats(() => register(agent, A, traits.shortTtlMs));
      await follower.shows([A]);
      await last.stop();
      await agent.close?.();
      await follower.shows([], traits.goneWithinMs);
    });

    test('a value that is no address is left out and named', async () => {
      const prefix = newPrefix();
      const manager = await open({ prefix });
      await register(manager, A);
      await store.fixture.put(`${prefix}/docker/swarm/nodes/broken`, 'not an address');
      expect(await list(manager)).toEqual([A]);
      await using follower = new Follower(manager);
      expect(await follower.troubled()).toMatch(/broken.*not an address/);
      expect(follower.addresses).toEqual([A]);
      await register(manager, B);
      await follower.shows([A, B]);
    });
  });

  // With a server of their own, and one after another: they burden it, or hurt it.
  describe.concurrent(`${name} as a discovery in need`, { timeout: 120_000 }, () => {
    const store = useStore(start);
    const { newPrefix, open, list, register } = store;

    test('many that register again neither flood nor outrun a watch', ALONE, async () => {
      const prefix = newPrefix();
      const agent = await open({ prefix });
      await using follower = new Follower(await open({ prefix }));
      await follower.shows([]);
      const count = traits.many ?? 1000;
      const all = Array.from({ length: count }, (_, n) => `10.1.${n >> 8}.${n & 255}:2375`);
      await eachLimited(all, 20, (address) => register(agent, address));
      await follower.shows(all);
      const before = follower.lists;
      expect(before).toBeLessThan(count);
      const restarted = await open({ prefix });
      await eachLimited(all, 20, (address) => register(restarted, address));
      // One more engine shows that all before it were looked at.
      await register(restarted, A);
      await follower.shows([...all, A]);
      expect(follower.lists - before).toBeLessThan(count / 10);
    });

    test('a store that is down is trouble, told once; the list stays and comes again', ALONE, async () => {
      const prefix = newPrefix();
      const agent = await open({ prefix });
      await using follower = new Follower(await open({ prefix }));
      await register(agent, A);
      await follower.shows([A]);
      await store.fixture.stop();
      await follower.troubled();
      await expect(list(agent)).rejects.toMatchObject({ code: 'unavailable' });
      await expect(register(agent, B)).rejects.toMatchObject({ code: 'unavailable' });
      await using late = new Follower(await open({ prefix }));
      await late.troubled();
      const troubles = follower.troubles;
      await store.fixture.start();
      await follower.calm();
      await late.shows([A]);
      expect(follower.addresses).toEqual([A]);
      expect(new Set(troubles).size).toBe(troubles.length);
      await until(`${B} registers`, SOON_MS, async () => {
        await register(agent, B);
        return true;
      });
      await follower.shows([A, B]);
    });

    test('a store that falls silent is noticed', ALONE, async () => {
      const prefix = newPrefix();
      const agent = await open({ prefix });
      await using follower = new Follower(await open({ prefix }));
      await register(agent, A);
      await follower.shows([A]);
      store.fixture.pause();
      try {
        const refused = expect(list(agent)).rejects.toMatchObject({ code: 'unavailable' });
        await Promise.all([follower.troubled(60_000), refused]);
      } finally {
        store.fixture.resume();
      }
      await follower.calm();
      expect(follower.addresses).toEqual([A]);
    });

    test('a store that lost its data does not take the pool away', ALONE, async () => {
      const prefix = newPrefix();
      const agent = await open({ prefix });
      await using follower = new Follower(await open({ prefix }));
      await using hasty = new Follower(await open({ prefix, graceMs: 3000 }));
      for (const address of [A, B, C]) await register(agent, address);
      await Promise.all([follower.shows([A, B, C]), hasty.shows([A, B, C])]);
      await store.fixture.stop();
      await follower.troubled();
      await store.fixture.start({ empty: true });
      await until('the loss is told', SOON_MS, () => follower.trouble?.includes('missing') || undefined);
      const again = async (address: string): Promise<void> => {
        await until(`${address} registers`, SOON_MS, async () => {
          await register(agent, address);
          return true;
        });
      };
      await again(A);
      await hasty.shows([A]); // those that did not return in its time
      expect(follower.addresses).toEqual([A, B, C].sort());
      for (const address of [B, C]) await again(address);
      await follower.calm();
      expect(follower.addresses).toEqual([A, B, C].sort());
      await hasty.shows([A, B, C]);
    });
  });
}

/** Registers now and several times in any ttl, each time when the last one is done; until it is stopped. */
function heartbeats(beat: () => Promise<void>): { stop(): Promise<void> } & AsyncDisposable {
  const over = new AbortController();
  const running = (async () => {
    while (!over.signal.aborted) {
      await beat().catch(() => undefined);
      await pause(300, over.signal);
    }
  })();
  const stop = (): Promise<void> => {
    over.abort();
    return running;
  };
  return { stop, [Symbol.asyncDispose]: stop };
}
