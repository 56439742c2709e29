import { describe, expect, it } from 'vitest';
import { attachmentsCover } from '../model/index.ts';
import {
  allocatorBench,
  changeTask,
  networkRow,
  nodeRow,
  port,
  rows,
  serviceRow,
  taskRow,
} from './testing.ts';

describe('nodes', () => {
  it('are on the ingress network from their start, and on others while a task is there', async () => {
    const bench = await allocatorBench();
    const { store, settle } = bench;
    const service = serviceRow('s', ['web']);
    await store.update((tx) => {
      tx.create('network', networkRow('ingress', { ingress: true }));
      tx.create('network', networkRow('web'));
      tx.create('service', service);
      tx.create('node', nodeRow('n1'));
      tx.create('node', nodeRow('n2'));
      tx.create('task', taskRow(service, 'a'));
      tx.create('task', taskRow(service, 'b'));
    });
    await settle();
    const networks = (id: string): string[] =>
      rows(store)
        .node(id)
        .attachments.map(({ networkId }) => networkId);
    expect([networks('n1'), networks('n2')]).toEqual([['ingress'], ['ingress']]);
    const former = rows(store).node('n1').attachments[0];
    await changeTask(store, 'a', 'assigned', { nodeId: 'n1' });
    expect(attachmentsCover(rows(store).node('n1'), rows(store).task('a'))).toBe(false);
    await settle();
    expect(attachmentsCover(rows(store).node('n1'), rows(store).task('a'))).toBe(true);
    expect(networks('n1')).toEqual(['ingress', 'web']);
    const before = rows(store).node('n1').attachments;
    expect(before[0]).toBe(former);
    await changeTask(store, 'a', 'failed');
    await changeTask(store, 'b', 'assigned', { nodeId: 'n1' });
    await settle();
    await store.update((tx) => tx.remove('task', 'a'));
    bench.restart();
    await settle();
    expect(rows(store).node('n1').attachments).toBe(before);
    await store.update((tx) => tx.remove('task', 'b'));
    await settle();
    expect(networks('n1')).toEqual(['ingress']);
    await store.update((tx) => tx.remove('network', 'ingress'));
    await settle();
    expect([networks('n1'), networks('n2')]).toEqual([[], []]);
  });

  it('that find no address wait for one', async () => {
    const { store, settle } = await allocatorBench('10.0.0.0/8', 30);
    await store.update((tx) => {
      tx.create('network', networkRow('ingress', { ingress: true }));
      tx.create('node', nodeRow('n1'));
      tx.create('node', nodeRow('n2'));
    });
    await settle();
    expect(rows(store).node('n2').attachments).toEqual([]);
    await store.update((tx) => tx.remove('node', 'n1'));
    await settle();
    expect(rows(store).node('n2').attachments[0]?.addresses).toEqual(['10.0.0.2/30']);
  });
});

describe('what is used up is said on the task', () => {
  it('where an address that a user names can not be had', async () => {
    const { store, settle } = await allocatorBench();
    const none = { id: '', spec: serviceRow('none', []).spec };
    await store.update((tx) => {
      tx.create('network', networkRow('ingress', { ingress: true }));
      tx.create('network', networkRow('web'));
      tx.create('node', nodeRow('n1'));
      tx.create('service', serviceRow('s', ['web']));
    });
    await settle();
    const [vip] = rows(store).service('s').endpoint?.virtualIps ?? [];
    const used = (vip?.addr ?? '').replace('/24', '');
    const words = {
      [used]: `Address already in use: ${used} of network web is the virtual IP of service s`,
      '10.0.1.1': 'Address already in use: 10.0.1.1 of network web is its gateway or kept for other use',
      '10.0.2.1': 'requested address is out of range: 10.0.2.1 is not of network web, which has 10.0.1.0/24',
    };
    await store.update((tx) => {
      for (const address of Object.keys(words)) {
        const networks = [{ target: 'web', aliases: [], driverOptions: {}, addresses: [address] }];
        const attachment = { containerId: 'c' };
        tx.create('task', taskRow(none, address, { spec: { attachment, networks, forceUpdate: 0 } }));
      }
    });
    await settle();
    const said = Object.keys(words).map((id) => [id, rows(store).task(id).status.err]);
    expect(Object.fromEntries(said)).toEqual(words);
  });

  it('where its node has no address on its network, until it has one', async () => {
    const { store, settle } = await allocatorBench('10.0.0.0/8', 29);
    const service = serviceRow('s', ['web'], { mode: 'dnsrr', ports: [] });
    await store.update((tx) => {
      tx.create('network', networkRow('web'));
      for (const id of ['n1', 'n2']) tx.create('node', nodeRow(id));
      tx.create('service', service);
      for (const id of ['a', 'b', 'c', 'd']) tx.create('task', taskRow(service, id));
    });
    await settle();
    for (const id of ['a', 'b', 'c']) await changeTask(store, id, 'assigned', { nodeId: 'n1' });
    await settle();
    await changeTask(store, 'd', 'assigned', { nodeId: 'n2' });
    await settle();
    expect(rows(store).node('n2').attachments).toEqual([]);
    expect(rows(store).task('a').status.err).toBe('');
    expect(rows(store).task('d').status).toMatchObject({
      state: 'assigned',
      err: expect.stringMatching(
        /^no address is left on network web: 10.0.0.0\/29 holds 5, and all are taken; remove or scale down/,
      ) as string,
    });
    await changeTask(store, 'c', 'complete');
    await settle();
    const [node, task] = [rows(store).node('n2'), rows(store).task('d')];
    expect(attachmentsCover(node, task)).toBe(true);
  });

  it('where its node waits behind tasks that are to leave an address to it', async () => {
    const { store, settle } = await allocatorBench('10.0.0.0/8', 29);
    const service = serviceRow('s', ['web'], { mode: 'dnsrr', ports: [] });
    await store.update((tx) => {
      tx.create('network', networkRow('web'));
      for (const id of ['n1', 'n2']) tx.create('node', nodeRow(id));
      tx.create('service', service);
      for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) tx.create('task', taskRow(service, id));
    });
    await settle();
    for (const id of ['a', 'b', 'c']) await changeTask(store, id, 'assigned', { nodeId: 'n1' });
    await settle();
    await changeTask(store, 'd', 'assigned', { nodeId: 'n2' });
    await settle();
    expect(rows(store).node('n2').attachments).toEqual([]);
    await changeTask(store, 'c', 'complete');
    await settle();
    expect(attachmentsCover(rows(store).node('n2'), rows(store).task('d'))).toBe(true);
  });

  it('where tasks would leave nothing to the nodes that are to run them', async () => {
    const { store, settle } = await allocatorBench('10.0.0.0/8', 29);
    const service = serviceRow('s', ['web']);
    await store.update((tx) => {
      tx.create('network', networkRow('web'));
      for (const id of ['n1', 'n2', 'n3']) tx.create('node', nodeRow(id));
      tx.create('service', service);
      for (const id of ['a', 'b', 'c', 'd']) tx.create('task', taskRow(service, id));
    });
    await settle();
    expect(rows(store).task('d').status).toMatchObject({
      state: 'new',
      err: expect.stringContaining(
        '10.0.0.0/29 holds 5, and all but 1, which nodes may need, are taken',
      ) as string,
    });
    await changeTask(store, 'a', 'assigned', { nodeId: 'n1' });
    await settle();
    expect(attachmentsCover(rows(store).node('n1'), rows(store).task('a'))).toBe(true);
  });

  it('where no port is left to be chosen', async () => {
    const { store, settle } = await allocatorBench();
    const ports = Array.from({ length: 2_768 }, (_, i) => port(30_000 + i));
    const service = serviceRow('late', [], { mode: 'vip', ports: [port(0)] });
    await store.update((tx) => {
      tx.create('network', networkRow('ingress', { ingress: true }));
      tx.create('service', serviceRow('all', [], { mode: 'vip', ports }));
      tx.create('service', service);
      tx.create('task', taskRow(service, 'a'));
    });
    await settle();
    expect(rows(store).task('a').status.err).toBe(
      'no published port is left for tcp: 30000 to 32767 has room for 2768, and all are taken; ' +
        'remove services that publish ports, or name a port for this one (--publish published=…,target=…)',
    );
    await store.update((tx) => tx.remove('service', 'all'));
    await settle();
    expect(rows(store).task('a').status).toMatchObject({ state: 'pending', err: '' });
  });
});
