import { describe, expect, it } from 'vitest';
import { attachmentsCover } from '../model/index.ts';
import { initialNetworks } from './initial-networks.ts';
import { allocatorBench, networkRow, nodeRow, rows, serviceRow, subnetRow, taskRow } from './testing.ts';

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
