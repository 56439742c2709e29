import { expect, test } from 'vitest';
import { fakeStore, nodeFixture } from '../../test/simulation/index.ts';
import { localOf } from './restored-state.ts';

async function storeOf(...addresses: readonly string[]) {
  const { store } = await fakeStore();
  await store.update((tx) => {
    tx.create('node', nodeFixture({ id: 'worker' }));
    for (const [index, managerAddr] of addresses.entries())
      tx.create('node', { ...nodeFixture({ id: `manager-${index}` }), role: 'manager', managerAddr });
  });
  return store;
}

test('a backup of one manager begins with that, wherever it is', async () => {
  const store = await storeOf('192.0.2.1:2377');
  expect(localOf(store, new Set())).toMatchObject({
    nodeId: 'manager-0',
    advertise: { host: '192.0.2.1', port: 2377 },
  });
});

test('a backup of several begins with the one that has an address of this host', async () => {
  const store = await storeOf('192.0.2.1:2377', '[2001:db8::2]:2378');
  expect(localOf(store, new Set(['127.0.0.1', '2001:db8::2']))).toMatchObject({
    nodeId: 'manager-1',
    advertise: { host: '2001:db8::2', port: 2378 },
    listen: { port: 2378 },
  });
  for (const own of [[], ['192.0.2.9'], ['192.0.2.1', '2001:db8::2']])
    expect(() => localOf(store, new Set(own))).toThrow(
      'a backup goes to a host with the address of one of its managers (192.0.2.1:2377, [2001:db8::2]:2378)',
    );
});
