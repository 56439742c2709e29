import { describe, expect, it } from 'vitest';
import { otherServiceId } from '../model/index.ts';
import { allocatorBench, changeTask, networkRow, rows, serviceRow, taskRow } from './testing.ts';

describe('tasks', () => {
  it('free their address when they end, and it rests as long as others are free', async () => {
    const { store, settle } = await allocatorBench('10.0.0.0/8', 29);
    const service = serviceRow('s', ['small'], { mode: 'dnsrr', ports: [] });
    const address = (id: string): string | undefined => rows(store).task(id).networks[0]?.addresses[0];
    const add = async (...ids: string[]): Promise<void> => {
      await store.update((tx) => ids.forEach((id) => tx.create('task', taskRow(service, id))));
      await settle();
    };
    await store.update((tx) => {
      tx.create('network', networkRow('small'));
      tx.create('service', service);
    });
    await add('a', 'b', 'c');
    expect(['a', 'b', 'c'].map(address)).toEqual(['10.0.0.2/29', '10.0.0.3/29', '10.0.0.4/29']);
    await changeTask(store, 'a', 'failed');
    await add('d', 'e', 'f', 'g');
    expect(['d', 'e', 'f'].map(address)).toEqual(['10.0.0.5/29', '10.0.0.6/29', '10.0.0.2/29']);
    expect(rows(store).task('g').status).toMatchObject({
      state: 'new',
      message: 'created',
      err: expect.stringContaining('no address is left on network small: 10.0.0.0/29 holds 5') as string,
    });
    await store.update((tx) => tx.remove('task', 'c'));
    await settle();
    expect(address('g')).toBe('10.0.0.4/29');
  });

  it('come under another id of their service while others run that were told otherwise of its name', async () => {
    const { store, settle, restart } = await allocatorBench();
    const [vip, dnsrr] = (['vip', 'dnsrr'] as const).map((mode) =>
      serviceRow('s', ['web'], { mode, ports: [] }),
    );
    if (!vip || !dnsrr) throw new Error('no services');
    await store.update((tx) => {
      tx.create('network', networkRow('web'));
      tx.create('service', dnsrr);
    });
    const add = async (service: typeof vip, ...ids: string[]): Promise<void> => {
      await store.update((tx) => {
        const row = tx.get('service', 's');
        if (row) tx.update('service', { ...row, spec: service.spec });
        for (const id of ids) tx.create('task', taskRow(service, id));
      });
      await settle();
    };
    const known = (id: string): [string | undefined, number] => {
      const { engineServiceId, endpoint } = rows(store).task(id);
      return [engineServiceId, endpoint?.virtualIps.length ?? 0];
    };
    const other = otherServiceId('s');
    await add(dnsrr, 'd1', 'd2');
    expect(['d1', 'd2'].map(known)).toEqual([[undefined, 0], [undefined, 0]]); // prettier-ignore
    await add(vip, 'v1', 'v2');
    expect(['v1', 'v2'].map(known)).toEqual([[other, 1], [other, 1]]); // prettier-ignore
    for (const id of ['d1', 'd2']) await changeTask(store, id, 'shutdown');
    restart();
    await add(vip, 'v3');
    expect(known('v3')).toEqual([other, 1]);
    await add(dnsrr, 'd3');
    expect(known('d3')).toEqual([undefined, 0]);
    for (const id of ['v1', 'v2', 'v3', 'd3']) await changeTask(store, id, 'shutdown');
    await add(vip, 'v4');
    expect(known('v4')).toEqual([undefined, 1]);
  });

  it('that are not wanted any more get none', async () => {
    const { store, settle } = await allocatorBench();
    const service = serviceRow('s', ['web']);
    await store.update((tx) => {
      tx.create('network', networkRow('web'));
      tx.create('service', service);
      tx.create('task', taskRow(service, 'gone', { desiredState: 'remove' }));
      tx.create('task', taskRow(service, 'job', { desiredState: 'complete' }));
    });
    await settle();
    expect(rows(store).task('gone').status.state).toBe('new');
    expect(rows(store).task('job').status.state).toBe('pending');
  });

  it('of an attachment get the address that was asked for', async () => {
    const { store, settle } = await allocatorBench();
    const wish = (address: string) => ({
      networks: [{ target: 'web', aliases: [], driverOptions: {}, addresses: [address] }],
      forceUpdate: 0,
      attachment: { containerId: 'c' },
    });
    const none = { id: '', spec: serviceRow('none', []).spec };
    await store.update((tx) => {
      tx.create('network', networkRow('web'));
      tx.create('task', taskRow(none, 'a', { spec: wish('10.0.0.77') }));
    });
    await settle();
    await store.update((tx) => tx.create('task', taskRow(none, 'b', { spec: wish('10.0.0.77/24') })));
    await settle();
    expect(rows(store).task('a').networks[0]?.addresses).toEqual(['10.0.0.77/24']);
    expect(rows(store).task('b').status).toMatchObject({
      state: 'new',
      err: 'Address already in use: 10.0.0.77/24 of network web belongs to task a',
    });
    await changeTask(store, 'a', 'complete');
    await settle();
    expect(rows(store).task('b').networks[0]?.addresses).toEqual(['10.0.0.77/24']);
  });

  it('keep the subnet of a network whose row is gone until the last has ended, over a restart too', async () => {
    const bench = await allocatorBench('10.0.0.0/24');
    const { store } = bench;
    const service = serviceRow('s', ['old']);
    await store.update((tx) => {
      tx.create('network', networkRow('old'));
      tx.create('service', service);
      tx.create('task', taskRow(service, 't'));
    });
    await bench.settle();
    await changeTask(store, 't', 'running', { desiredState: 'remove' });
    await store.update((tx) => {
      tx.remove('service', 's');
      tx.remove('network', 'old');
      tx.create('network', networkRow('new'));
    });
    await bench.settle();
    expect(rows(store).network('new').allocated).toBeUndefined();
    bench.restart();
    await bench.settle();
    expect(rows(store).network('new').allocated).toBeUndefined();
    await changeTask(store, 't', 'shutdown');
    await bench.settle();
    expect(rows(store).network('new').allocated?.ipam.configs[0]?.subnet).toBe('10.0.0.0/24');
  });
});
