import { expect, it } from 'vitest';
import { SYSTEM_TIMES } from '../base/clock.ts';
import { createLog } from '../base/log.ts';
import { newManagerNode, type Node } from '../model/index.ts';
import { memoryBackend, openStore, type Present } from '../store/index.ts';
import { raiseLayout } from './raise-layout.ts';

const node = (id: string): Omit<Node, 'meta'> =>
  newManagerNode({ id, addr: `${id}:2377`, availability: 'active' });

/** The managers 'one', which leads, 'two' and 'three'; of the others those are there that `show` says. */
async function swarm() {
  const kept = await openStore(memoryBackend(), { nowMs: () => 1, onFault: () => undefined });
  for (const id of ['one', 'two', 'three']) await kept.update((tx) => tx.create('node', node(id)));
  const listeners = new Set<() => void>();
  let others: readonly Present[] = [];
  const asked: string[] = [];
  let fails = 0;
  const store = {
    view: kept.view,
    watch: kept.watch.bind(kept),
    layout: 1,
    raise: () => {
      asked.push('raise');
      if (fails-- > 0) return Promise.reject(new Error('no answer'));
      store.layout = 2;
      return Promise.resolve();
    },
  };
  const over = new AbortController();
  const times = { ...SYSTEM_TIMES, pause: () => Promise.resolve() };
  const presence = {
    get others() {
      return others;
    },
    listen: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const parts = { store, presence, nodeId: 'one', newest: 2, times, log: createLog('fatal') };
  const running = raiseLayout(parts, over.signal);
  return {
    kept,
    store,
    asked,
    fail: (count: number) => void (fails = count),
    show: async (layouts: Readonly<Record<string, number>>) => {
      others = Object.entries(layouts).map(([nodeId, layout]) => ({ nodeId, addr: '', version: '', layout }));
      for (const listener of [...listeners]) listener();
      await new Promise((resolve) => setImmediate(resolve));
    },
    end: async () => {
      over.abort();
      await running;
      expect(listeners.size).toBe(0);
    },
  };
}

it('raises the layout when the last manager reads it, and not before', async () => {
  const { show, asked, store, end } = await swarm();
  const notYet: Readonly<Record<string, number>>[] = [
    {},
    { two: 2 },
    { two: 2, three: 1 },
    { three: 2 },
    { two: 2, other: 2 },
  ];
  for (const there of notYet) {
    await show(there);
    expect(asked).toEqual([]);
  }
  await show({ two: 2, three: 3 });
  expect(store.layout).toBe(2);
  await end();
});

it('waits for one that is away until it is no manager any more', async () => {
  const { show, kept, asked, store, end } = await swarm();
  await show({ two: 2 });
  expect(asked).toEqual([]);
  await kept.update((tx) => tx.remove('node', 'three'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(store.layout).toBe(2);
  await end();
});

it('tries again where it could not be written', async () => {
  const { show, fail, asked, store, end } = await swarm();
  fail(2);
  await show({ two: 2, three: 2 });
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toHaveLength(3);
  expect(store.layout).toBe(2);
  await end();
});
