import { afterEach, describe, expect, it } from 'vitest';
import { startInProcess, type InProcess, type InProcessOptions } from '../../test/dispatcher/in-process.ts';

let swarm: InProcess | undefined;
afterEach(() => swarm?.stop());

async function start(wishes: InProcessOptions = {}): Promise<InProcess> {
  swarm = await startInProcess(wishes);
  return swarm;
}

const idOf = (reader: { last: { sessionId: string } | undefined }): string => reader.last?.sessionId ?? '';

describe('a session', () => {
  it('begins with all that an agent needs, and makes its node ready', async () => {
    const { session, store, dispatcher } = await start();
    await store.update((tx) => {
      const cluster = tx.cluster();
      if (!cluster) return;
      const networkKeys = [{ subsystem: 'networking:gossip', key: 'AAAA', lamportTime: 1 } as const];
      tx.update('cluster', { ...cluster, networkKeys, rootCa: { ...cluster.rootCa, certPem: 'PEM' } });
    });
    expect(dispatcher.connected('node-1')).toBe(false);
    const reader = await session('node-1');
    expect(reader.messages).toHaveLength(1);
    expect(reader.last).toMatchObject({
      node: { id: 'node-1', role: 0, VXLANUDPPort: 4789 },
      managers: [{ peer: { nodeId: 'manager-1', addr: '192.0.2.1:2377' }, weight: 1n }],
      networkBootstrapKeys: [{ subsystem: 'networking:gossip', lamportTime: 1n }],
    });
    expect(idOf(reader)).toHaveLength(25);
    expect(Buffer.from(reader.last?.RootCA ?? []).toString()).toBe('PEM');
    expect(store.view.get('node', 'node-1')?.status).toEqual({
      state: 'ready',
      message: '',
      addr: '192.0.2.7',
    });
    expect(dispatcher.connected('node-1')).toBe(true);
  });

  it('tells of what changed, and of nothing else', async () => {
    const { session, store, times, dispatcher } = await start();
    const reader = await session('node-1');
    const write = async (
      change: (node: NonNullable<ReturnType<typeof store.view.get<'node'>>>) => object,
    ) => {
      await store.update((tx) => {
        const node = tx.get('node', 'node-1');
        if (node) tx.update('node', { ...node, ...change(node) });
      });
      await times.settle();
    };
    await write(({ status }) => ({ status: { ...status, message: 'x' } }));
    await write(({ spec }) => ({ spec: { ...spec, role: 'manager' }, role: 'manager' }));
    dispatcher.managersChanged();
    await times.settle();
    expect(reader.messages).toHaveLength(1);
    await write(({ spec }) => ({ spec: { ...spec, availability: 'drain' } }));
    expect(reader.last?.node?.spec?.availability).toBe(2);
    await write(({ certificate }) => ({ certificate: { ...certificate, state: 'rotate' } }));
    expect(reader.last?.node?.certificate?.status?.state).toBe(5);
    await store.update((tx) => {
      const cluster = tx.cluster();
      if (cluster) tx.update('cluster', { ...cluster, rootCa: { ...cluster.rootCa, certPem: 'NEW' } });
    });
    await times.settle();
    expect(reader.messages).toHaveLength(4);
    expect(reader.ended).toBeUndefined();
  });

  it('tells of new managers', async () => {
    let addr = '192.0.2.1:2377';
    const managers = () => [{ nodeId: 'manager-1', addr }];
    const { session, times, dispatcher } = await start({ options: { managers } });
    const reader = await session('node-1');
    addr = '192.0.2.2:2377';
    dispatcher.managersChanged();
    await times.settle();
    expect(reader.last?.managers[0]?.peer?.addr).toBe(addr);
  });

  it('is refused while no manager is known', async () => {
    const { session } = await start({ options: { managers: () => [] } });
    expect((await session('node-1')).ended?.message).toContain('no manager is known');
  });

  it('ends when a newer one begins, and goes on when it is named', async () => {
    const { session, agent } = await start();
    const first = await session('node-1');
    const second = await session('node-1');
    expect(first.ended?.message).toContain('session invalid');
    await expect(agent('node-1').heartbeat({ sessionId: idOf(first) })).rejects.toThrow('session invalid');
    const again = await session('node-1', idOf(second));
    expect(idOf(again)).toBe(idOf(second));
    expect(second.ended?.message).toContain('session invalid');
    await agent('node-1').heartbeat({ sessionId: idOf(again) });
  });

  it('lasts when its stream ends', async () => {
    const { session, agent, times, store } = await start();
    const reader = await session('node-1');
    await reader.cancel();
    await times.settle();
    await agent('node-1').heartbeat({ sessionId: idOf(reader) });
    expect(store.view.get('node', 'node-1')?.status.state).toBe('ready');
  });

  it('is refused to a node that begins one too often, for a while', async () => {
    const { session, times } = await start({ nodes: 2 });
    for (let count = 0; count < 3; count++) expect((await session('node-1')).ended).toBeUndefined();
    expect((await session('node-1')).ended?.message).toContain('exceeded rate limit count of registrations');
    expect((await session('node-2')).ended).toBeUndefined();
    await times.advance(8100);
    expect((await session('node-1')).ended).toBeUndefined();
  });

  it('ends at once when its node is removed, and calls are refused as not found', async () => {
    const { session, assignments, agent, store, times, dispatcher } = await start();
    const reader = await session('node-1');
    const sessionId = idOf(reader);
    const second = await assignments('node-1', sessionId);
    await store.update((tx) => tx.remove('node', 'node-1'));
    await times.settle();
    expect(reader.ended?.message).toContain('node not registered');
    expect(second.ended?.message).toContain('node not registered');
    expect(dispatcher.connected('node-1')).toBe(false);
    await expect(agent('node-1').heartbeat({ sessionId })).rejects.toThrow('not_found');
    expect((await session('node-1')).ended?.message).toContain('not_found');
  });

  it('needs one that runs', async () => {
    const { session, agent, stop } = await start();
    const reader = await session('node-1');
    await stop();
    expect(reader.ended?.message).toContain('dispatcher is stopped');
    await expect(agent('node-1').heartbeat({ sessionId: idOf(reader) })).rejects.toThrow(
      'dispatcher is stopped',
    );
    await expect(agent('node-1').updateTaskStatus({ sessionId: '' })).rejects.toThrow(
      'dispatcher is stopped',
    );
  });

  it('stores a description only when it changed', async () => {
    const { agent, times, store } = await start();
    const description = { hostname: 'w1', resources: { nanoCpus: 2_000_000_000n } };
    const open = async (hostname: string) => {
      const abort = new AbortController();
      const stream = agent('node-1').session(
        { description: { ...description, hostname } },
        { signal: abort.signal },
      );
      await stream[Symbol.asyncIterator]().next();
      abort.abort();
      await times.settle();
      return store.view.get('node', 'node-1');
    };
    const first = await open('w1');
    expect(first?.description).toMatchObject({ hostname: 'w1', resources: { nanoCpus: 2e9 } });
    expect((await open('w1'))?.meta.version).toBe(first?.meta.version);
    expect((await open('w2'))?.description?.hostname).toBe('w2');
  });
});
