import { describe, expect, it } from 'vitest';
import { SwarmError } from '../base/errors.ts';
import { attachmentsCover, otherServiceId } from '../model/index.ts';
import { runAllocator } from './allocator.ts';
import { initialNetworks } from './initial-networks.ts';
import { AllocatorRun } from './run.ts';
import {
  allocatorBench,
  changeTask,
  networkRow,
  nodeRow,
  port,
  rows,
  serviceRow,
  subnetRow,
  taskRow,
} from './testing.ts';

const VXLAN = 'com.docker.network.driver.overlay.vxlanid_list';

describe('networks', () => {
  it('get subnets of the pool, gateways and VXLAN ids in their order, the ingress network first', async () => {
    const { store, settle } = await allocatorBench();
    const [ingress, ...predefined] = initialNetworks();
    if (!ingress) throw new Error('no ingress');
    await store.update((tx) => {
      for (const network of [ingress, ...predefined]) tx.create('network', network);
      tx.create('network', networkRow('web', { driver: { name: 'overlay', options: { encrypted: '' } } }));
    });
    await settle();
    expect(rows(store).network(ingress.id).allocated).toEqual({
      driver: { name: 'overlay', options: { [VXLAN]: '4097' } },
      ipam: {
        driver: { name: 'default', options: {} },
        configs: [{ subnet: '10.0.0.0/24', range: '', gateway: '10.0.0.1', reserved: {} }],
      },
    });
    expect(rows(store).network('web').allocated).toMatchObject({
      driver: { name: 'overlay', options: { [VXLAN]: '4098', encrypted: '' } },
      ipam: { configs: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1' }] },
    });
    expect(store.view.byName('network', 'host')?.allocated).toBeUndefined();
  });

  it('keep to what the user gives: subnets, range, gateway, kept addresses, VXLAN ids', async () => {
    const { store, settle } = await allocatorBench();
    await store.update((tx) => {
      tx.create(
        'network',
        networkRow('own', {
          ipv6: true,
          driver: { name: 'overlay', options: { [VXLAN]: '5000' } },
          ipam: {
            driver: { name: 'default', options: {} },
            configs: [
              {
                subnet: '10.0.0.0/16',
                range: '10.0.7.0/29',
                gateway: '',
                reserved: { printer: '10.0.7.1', unseen: '10.0.7.2' },
              },
              { subnet: '172.30.0.0/24', range: '', gateway: '172.30.0.9', reserved: {} },
              { subnet: 'fd00:1::/64', range: '', gateway: '', reserved: {} },
            ],
          },
        }),
      );
      tx.create('network', networkRow('next'));
    });
    await settle();
    const own = rows(store).network('own').allocated;
    expect(own?.driver.options).toEqual({ [VXLAN]: '5000,4097' });
    expect(own?.ipam.configs.map(({ gateway }) => gateway)).toEqual(['10.0.7.0', '172.30.0.9', 'fd00:1::1']);
    expect(rows(store).network('next').allocated?.ipam.configs[0]?.subnet).toBe('10.1.0.0/24');
    const service = serviceRow('s', ['own'], { mode: 'dnsrr', ports: [] });
    await store.update((tx) => {
      tx.create('service', service);
      for (let i = 0; i < 7; i++) tx.create('task', taskRow(service, `t${i}`));
    });
    await settle();
    const addresses = Array.from({ length: 7 }, (_, i) => rows(store).task(`t${i}`).networks[0]?.addresses);
    expect(addresses.slice(0, 6)).toEqual([
      ['10.0.7.3/16', 'fd00:1::3/64'],
      ['10.0.7.4/16', 'fd00:1::4/64'],
      ['10.0.7.5/16', 'fd00:1::5/64'],
      ['10.0.7.6/16', 'fd00:1::6/64'],
      ['10.0.7.7/16', 'fd00:1::7/64'],
      ['172.30.0.1/24', 'fd00:1::8/64'],
    ]);
  });

  it('with an IPv6 subnet only get an IPv4 one as well', async () => {
    const { store, settle } = await allocatorBench();
    await store.update((tx) => tx.create('network', subnetRow('six', 'fd00::/64')));
    await settle();
    expect(
      rows(store)
        .network('six')
        .allocated?.ipam.configs.map(({ subnet }) => subnet),
    ).toEqual(['10.0.0.0/24', 'fd00::/64']);
    expect(rows(store).network('six').allocated?.driver.options[VXLAN]).toBe('4097');
  });

  it('wait where their subnet or VXLAN id is taken, and are allocated when it is free', async () => {
    const { store, settle } = await allocatorBench('10.0.0.0/23');
    await store.update((tx) => {
      tx.create('network', networkRow('a', { driver: { name: 'overlay', options: { [VXLAN]: '7' } } }));
      tx.create('network', networkRow('b'));
      tx.create('network', networkRow('c'));
      tx.create('network', subnetRow('d', '10.0.0.128/25'));
      tx.create('network', {
        ...subnetRow('e', '10.9.0.0/24'),
        spec: {
          ...subnetRow('e', '10.9.0.0/24').spec,
          driver: { name: 'overlay', options: { [VXLAN]: '7' } },
        },
      });
    });
    await settle();
    const waiting = (): string[] =>
      ['a', 'b', 'c', 'd', 'e'].filter((id) => store.view.get('network', id)?.allocated === undefined);
    expect(waiting()).toEqual(['c', 'd', 'e']);
    const service = serviceRow('s', ['c']);
    await store.update((tx) => {
      tx.create('service', service);
      tx.create('task', taskRow(service, 't'));
    });
    await settle();
    expect(rows(store).task('t').status).toMatchObject({
      state: 'new',
      err: expect.stringContaining('the address pool 10.0.0.0/23 has room for 2 of size /24') as string,
    });
    await store.update((tx) => tx.remove('network', 'a'));
    await settle();
    expect(waiting()).toEqual(['a', 'd']);
    expect(rows(store).network('c').allocated?.ipam.configs[0]?.subnet).toBe('10.0.0.0/24');
    expect(rows(store).task('t').status).toMatchObject({ state: 'pending', err: '' });
  });

  it('of the engines pass through', async () => {
    const { store, settle } = await allocatorBench();
    await store.update((tx) => {
      for (const network of initialNetworks()) tx.create('network', network);
    });
    const host = store.view.byName('network', 'host');
    const service = serviceRow('s', [host?.id ?? '']);
    await store.update((tx) => {
      tx.create('service', service);
      tx.create('node', nodeRow('n'));
      tx.create('task', taskRow(service, 't', { nodeId: 'n' }));
    });
    await settle();
    expect(rows(store).service('s').endpoint).toBeUndefined();
    expect(rows(store).task('t').networks).toEqual([
      { networkId: host?.id, addresses: [], aliases: ['s'], driverOptions: {} },
    ]);
    expect(rows(store).task('t').status.state).toBe('pending');
    expect(attachmentsCover(rows(store).node('n'), rows(store).task('t'))).toBe(true);
    expect(rows(store).node('n').attachments).toHaveLength(1);
  });
});

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

describe('the loop', () => {
  it('works until its signal fires, over an error of one row', async () => {
    const { store, context } = await allocatorBench();
    const stop = new AbortController();
    const running = runAllocator(context, stop.signal);
    const service = serviceRow('s', ['web']);
    const { promise: pending, resolve } = Promise.withResolvers<void>();
    store.watch(() => store.view.get('task', 't')?.status.state === 'pending' && resolve());
    await store.update((tx) => {
      tx.create('network', networkRow('web'));
      tx.create('service', service);
      tx.create(
        'task',
        taskRow(service, 'bad', { spec: { ...service.spec.task, networks: [null] as never } }),
      );
      tx.create('task', taskRow(service, 't'));
    });
    await pending;
    stop.abort();
    await running;
  });

  it('tries again when the state could not be written', async () => {
    const bench = await allocatorBench();
    const { store, context } = bench;
    let failures = 2;
    const failing: typeof store = {
      ...store,
      view: store.view,
      watch: (listener) => store.watch(listener),
      update: (change) => store.update(change),
      close: () => store.close(),
      batch: (items, change) => {
        if (failures-- > 0) return Promise.reject(new SwarmError('unavailable', 'the disk is full'));
        return store.batch(items, change);
      },
    };
    await store.update((tx) => tx.create('network', networkRow('web')));
    const times = { ...context.times, pause: () => Promise.resolve() };
    const run = new AllocatorRun({ ...context, store: failing, times }, new AbortController().signal);
    run.note('network', 'web');
    await run.settle();
    expect(failures).toBe(-1);
    expect(rows(store).network('web').allocated).toBeDefined();
  });
});
