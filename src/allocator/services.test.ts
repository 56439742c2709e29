import { describe, expect, it } from 'vitest';
import { allocatorBench, changeTask, networkRow, port, rows, serviceRow, taskRow } from './testing.ts';

describe('services', () => {
  it('get a virtual IP on each network and keep it while they are on it', async () => {
    const { store, settle } = await allocatorBench();
    await store.update((tx) => {
      tx.create('network', networkRow('ingress', { ingress: true }));
      for (const id of ['a', 'b', 'c']) tx.create('network', networkRow(id));
      tx.create('service', serviceRow('s', ['a', 'b'], { mode: 'vip', ports: [port(8080)] }));
    });
    await settle();
    expect(rows(store).service('s').endpoint).toEqual({
      spec: { mode: 'vip', ports: [port(8080)] },
      ports: [port(8080)],
      virtualIps: [
        { networkId: 'ingress', addr: '10.0.0.2/24' },
        { networkId: 'a', addr: '10.0.1.2/24' },
        { networkId: 'b', addr: '10.0.2.2/24' },
      ],
    });
    await respec('s', ['c', 'b'], { mode: 'vip', ports: [] });
    expect(rows(store).service('s').endpoint?.virtualIps).toEqual([
      { networkId: 'c', addr: '10.0.3.2/24' },
      { networkId: 'b', addr: '10.0.2.2/24' },
    ]);
    await respec('s', ['c', 'b'], { mode: 'dnsrr', ports: [] });
    expect(rows(store).service('s').endpoint?.virtualIps).toEqual([]);

    async function respec(
      id: string,
      networks: string[],
      endpoint: Parameters<typeof serviceRow>[2],
    ): Promise<void> {
      await store.update((tx) => {
        const row = tx.get('service', id);
        if (row) tx.update('service', { ...row, spec: serviceRow(id, networks, endpoint).spec });
      });
      await settle();
    }
  });

  it('keep a virtual IP that they are to lose while they have tasks on its network', async () => {
    const { store, settle, restart } = await allocatorBench();
    const service = serviceRow('s', ['a', 'b']);
    await store.update((tx) => {
      for (const id of ['a', 'b']) tx.create('network', networkRow(id));
      tx.create('service', service);
      tx.create('task', taskRow(service, 'old'));
    });
    await settle();
    const [a, b] = rows(store).service('s').endpoint?.virtualIps ?? [];
    const respec = async (next: ReturnType<typeof serviceRow>, fresh: string): Promise<void> => {
      await store.update((tx) => {
        const row = tx.get('service', 's');
        if (row) tx.update('service', { ...row, spec: next.spec });
        tx.create('task', taskRow(next, fresh));
      });
      await settle();
    };
    await respec(serviceRow('s', ['b']), 'second');
    expect(rows(store).service('s').endpoint).toMatchObject({ virtualIps: [b], leavingIps: [a] });
    await respec(serviceRow('s', ['b'], { mode: 'dnsrr', ports: [] }), 'third');
    expect(rows(store).service('s').endpoint).toMatchObject({ virtualIps: [], leavingIps: [b, a] });
    await changeTask(store, 'old', 'shutdown');
    restart();
    await settle();
    // Tasks that were not told of it answer there, too.
    expect(rows(store).service('s').endpoint?.leavingIps).toEqual([b]);
    await changeTask(store, 'second', 'shutdown');
    await respec(serviceRow('s', ['b']), 'fourth');
    expect(rows(store).service('s').endpoint).toMatchObject({ virtualIps: [b] });
    await respec(serviceRow('s', ['a']), 'fifth');
    for (const id of ['third', 'fourth']) await store.update((tx) => tx.remove('task', id));
    await settle();
    const { leavingIps, virtualIps } = rows(store).service('s').endpoint ?? {};
    expect({ leavingIps, networks: virtualIps?.map(({ networkId }) => networkId) }).toEqual({
      networks: ['a'],
    });
  });

  it('that need nothing have no endpoint', async () => {
    const { store, settle } = await allocatorBench();
    await store.update((tx) => tx.create('service', serviceRow('s', [], { mode: 'vip', ports: [] })));
    await settle();
    expect(rows(store).service('s').endpoint).toBeUndefined();
  });

  it('get free ports where they name none, keep them over updates, and wait for those that others have', async () => {
    const { store, settle } = await allocatorBench();
    const endpoint = (...ports: ReturnType<typeof port>[]) => ({ mode: 'vip' as const, ports });
    await store.update((tx) => {
      tx.create('network', networkRow('ingress', { ingress: true }));
      tx.create('service', serviceRow('first', [], endpoint(port(0), port(0, { targetPort: 81 }))));
      tx.create('service', serviceRow('named', [], endpoint(port(30_001), port(0, { protocol: 'udp' }))));
      tx.create('service', serviceRow('late', [], endpoint(port(30_001))));
      tx.create('service', serviceRow('host', [], endpoint(port(30_001, { publishMode: 'host' }))));
    });
    await settle();
    const published = (id: string): number[] | undefined =>
      rows(store)
        .service(id)
        .endpoint?.ports.map(({ publishedPort }) => publishedPort);
    expect(published('first')).toEqual([30_000, 30_002]);
    expect(published('named')).toEqual([30_001, 30_000]);
    expect(published('late')).toBeUndefined();
    expect(published('host')).toEqual([30_001]);
    await store.update((tx) => {
      tx.remove('service', 'named');
      const first = tx.get('service', 'first');
      const ports = [port(9000, { targetPort: 90 }), port(0, { targetPort: 81 }), port(0)];
      if (first) tx.update('service', { ...first, spec: serviceRow('first', [], endpoint(...ports)).spec });
    });
    await settle();
    expect(published('late')).toEqual([30_001]);
    expect(published('first')).toEqual([9000, 30_002, 30_000]);
  });

  it('and their tasks wait for a network that is not there, and for the ingress network', async () => {
    const { store, settle } = await allocatorBench();
    const web = serviceRow('web', ['later']);
    const published = serviceRow('published', [], { mode: 'vip', ports: [port(80)] });
    await store.update((tx) => {
      for (const service of [web, published]) {
        tx.create('service', service);
        tx.create('task', taskRow(service, `t-${service.id}`));
      }
    });
    await settle();
    expect(rows(store).task('t-web').status).toMatchObject({ state: 'new', err: 'network later not found' });
    expect(rows(store).task('t-published').status.err).toBe('the ingress network is missing');
    await store.update((tx) => {
      tx.create('network', networkRow('later'));
      tx.create('network', networkRow('ingress', { ingress: true }));
    });
    await settle();
    for (const id of ['t-web', 't-published'])
      expect(rows(store).task(id).status).toEqual({
        state: 'pending',
        message: 'pending task scheduling',
        err: '',
        timestampMs: 5_000,
        ports: [],
        appliedBy: '',
        appliedAtMs: 0,
      });
    expect(rows(store).task('t-published').endpoint).toEqual(rows(store).service('published').endpoint);
  });
});
