import { describe, expect, it } from 'vitest';
import { startControlApi } from '../testing/control-api.ts';
import { BRIDGE, MINE, engineWith, api, overlay } from './testing.ts';

describe('POST /networks/create', () => {
  it('keeps all that a request says, and shows it', async () => {
    await using it = await api();
    const { status, value } = await it.call(
      'POST',
      '/networks/create',
      overlay({
        CheckDuplicate: true,
        Internal: true,
        Attachable: true,
        EnableIPv6: true,
        Options: { encrypted: '', 'com.docker.network.driver.mtu': '1400' },
        Labels: { tier: 'front', ['__proto__']: 'data' },
        IPAM: {
          Config: [
            {
              Subnet: '10.9.0.0/16',
              IPRange: '10.9.1.0/24',
              Gateway: '10.9.0.9',
              AuxiliaryAddresses: { nas: '10.9.1.5' },
            },
            { Subnet: 'fd00::/64' },
          ],
        },
      }),
    );
    expect([status, value]).toEqual([
      201,
      { Id: expect.stringMatching(/^[a-z0-9]{25}$/) as string, Warning: '' },
    ]);
    const { Id } = value as { Id: string };
    const { value: shown } = await it.call('GET', '/networks/web');
    expect(shown).toEqual({
      Name: 'web',
      Id,
      Created: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      Scope: 'swarm',
      Driver: 'overlay',
      EnableIPv4: true,
      EnableIPv6: true,
      IPAM: {
        Driver: 'default',
        Options: null,
        Config: [
          {
            Subnet: '10.9.0.0/16',
            IPRange: '10.9.1.0/24',
            Gateway: '10.9.0.9',
            AuxiliaryAddresses: { nas: '10.9.1.5' },
          },
          { Subnet: 'fd00::/64' },
        ],
      },
      Internal: true,
      Attachable: true,
      Ingress: false,
      ConfigFrom: { Network: '' },
      ConfigOnly: false,
      Containers: null,
      Options: { encrypted: '', 'com.docker.network.driver.mtu': '1400' },
      Labels: JSON.parse('{"tier":"front","__proto__":"data"}') as unknown,
    });
  });

  it.each<[string, object, number, string]>([
    ['a predefined name', { Name: 'host' }, 409, 'network with name host already exists'],
    [
      'the name of none',
      { Name: 'default' },
      403,
      'operation is not permitted on predefined default network',
    ],
    ['no name', { Name: ' ' }, 400, 'invalid name: name is empty'],
    ['a wrong name', { Name: 'a.b' }, 400, 'name must be valid as a DNS name component'],
    ['a long name', { Name: 'a'.repeat(64) }, 400, 'name must be 63 characters or fewer'],
    ['an unknown driver', { Driver: 'weave', Scope: 'swarm' }, 404, 'plugin "weave" not found'],
    ['an IPAM plugin', { IPAM: { Driver: 'infoblox' } }, 400, 'error during lookup of plugin infoblox'],
    ['no driver', { Driver: 'null', Scope: 'swarm' }, 400, 'error during lookup of plugin null'],
    [
      'a label of ours',
      { Labels: { 'com.docker.swarm.predefined': 'true' } },
      403,
      'label com.docker.swarm.predefined is for internally created predefined networks',
    ],
    ['no IPv4', { EnableIPv4: false }, 400, 'IPv4 cannot be disabled in a Swarm scoped network'],
    [
      'a config that is not there',
      { ConfigFrom: { Network: 'mine' } },
      404,
      'configuration network "mine" does not exist',
    ],
    [
      'a gateway that no host can be',
      { IPAM: { Config: [{ Subnet: '10.9.0.0/24', Gateway: '10.9.0.255' }] } },
      400,
      'invalid gateway 10.9.0.255: no host of 10.9.0.0/24 can have this address',
    ],
    ['a smaller scope', { Scope: 'local' }, 403, 'cannot downgrade network scope for overlay networks'],
    [
      'an attachable ingress',
      { Ingress: true, Attachable: true },
      400,
      'ingress network cannot be attachable',
    ],
    [
      'an ingress of another driver',
      { Ingress: true, Driver: 'macvlan', Scope: 'swarm' },
      403,
      'Ingress network can only be global scope network',
    ],
    ['a second ingress', { Ingress: true }, 409, 'is already present'],
    [
      'settings beside config-from',
      { ConfigFrom: { Network: 'c' }, Labels: { a: 'b' } },
      403,
      'user specified configurations are not supported if the network depends on a configuration network',
    ],
    [
      'options beside config-from',
      { ConfigFrom: { Network: 'c' }, Options: { a: 'b' } },
      403,
      'network driver options are not supported if the network depends on a configuration network',
    ],
    [
      'all that is wrong with addresses',
      {
        IPAM: {
          Config: [
            { Subnet: '10.0.0.0' },
            {
              Subnet: '10.9.0.1/16',
              IPRange: '10.8.0.0/24',
              Gateway: '1.2.3.4',
              AuxiliaryAddresses: { x: 'y' },
            },
          ],
        },
      },
      400,
      [
        'invalid network config:',
        'invalid subnet 10.0.0.0: invalid CIDR block notation',
        'invalid subnet 10.9.0.1/16: it should be 10.9.0.0/16',
        "invalid ip-range 10.8.0.0/24: parent subnet 10.9.0.0/16 doesn't contain ip-range",
        "invalid gateway 1.2.3.4: parent subnet 10.9.0.0/16 doesn't contain this address",
        'invalid auxiliary address x: invalid address',
      ].join('\n'),
    ],
    [
      'subnets that overlap',
      { IPAM: { Config: [{ Subnet: '10.9.0.0/16' }, { Subnet: '10.9.3.0/24' }] } },
      400,
      'subnets 10.9.0.0/16 and 10.9.3.0/24 overlap',
    ],
    [
      'VXLAN ids that are none',
      { Options: { 'com.docker.network.driver.overlay.vxlanid_list': '0' } },
      400,
      'invalid vxlan id value "0" passed',
    ],
    [
      'an MTU that is none',
      { Options: { 'com.docker.network.driver.mtu': 'big' } },
      400,
      'invalid MTU value: big',
    ],
    ['a wrong kind of value', { Labels: [] }, 400, 'cannot unmarshal array into Go struct field'],
    ['a name of the engine', { Name: 'mine' }, 409, 'network with name mine already exists'],
  ])('refuses %s', async (_, more, status, words) => {
    await using it = await api();
    const answer = await it.call('POST', '/networks/create', overlay(more));
    expect([answer.status, answer.message]).toEqual([status, expect.stringContaining(words)]);
    expect([...it.store.view.all('network')]).toHaveLength(4);
  });

  it('refuses a body that is none', async () => {
    await using it = await api();
    expect((await it.call('POST', '/networks/create')).status).toBe(400);
    expect((await it.call('POST', '/networks/create', '[]')).status).toBe(400);
  });

  it('refuses names, subnets and VXLAN ids that another network has', async () => {
    await using it = await api();
    const ids = { 'com.docker.network.driver.overlay.vxlanid_list': '5000' };
    const first = overlay({ Options: ids, IPAM: { Config: [{ Subnet: '10.9.0.0/16' }] } });
    expect((await it.call('POST', '/networks/create', first)).status).toBe(201);
    const again = async (more: object): Promise<[number, string]> => {
      const { status, message } = await it.call('POST', '/networks/create', overlay(more));
      return [status, message];
    };
    expect(await again({})).toEqual([409, 'network with name web already exists']);
    expect(await again({ Driver: 'bridge' })).toEqual([409, 'network with name web already exists']);
    expect(await again({ Name: 'other', IPAM: { Config: [{ Subnet: '10.9.7.0/24' }] } })).toEqual([
      403,
      'Pool overlaps with other one on this address space: 10.9.7.0/24 overlaps with 10.9.0.0/16 of network web',
    ]);
    expect(await again({ Name: 'other', Options: ids })).toEqual([
      400,
      'the VXLAN id 5000 is in use by network web',
    ]);
  });

  it('refuses to encrypt where the kernel beside it can not, and only there', async () => {
    const encrypted = overlay({ Options: { encrypted: '' } });
    for (const [can, status] of [
      [false, 501],
      [true, 201],
      [undefined, 201],
    ] as const) {
      await using it = await startControlApi({
        engine: engineWith(BRIDGE),
        canEncrypt: () => Promise.resolve(can),
      });
      const answer = await it.call('POST', '/networks/create', encrypted);
      expect(answer.status).toBe(status);
      if (!can && status === 501)
        expect(answer.message).toContain("can't be encrypted: the kernel of this host");
      expect((await it.call('POST', '/networks/create', overlay({ Name: 'open' }))).status).toBe(201);
    }
  });

  it('leaves networks of the engine to the engine', async () => {
    const engine = engineWith(BRIDGE);
    await using it = await api(engine);
    for (const body of [
      { Name: 'x', Driver: 'bridge' },
      { Name: 'y', Driver: 'overlay', ConfigOnly: true },
      { Name: 'bridge' },
    ]) {
      const { status, value } = await it.call('POST', '/networks/create', body);
      expect([status, value]).toEqual([201, { Id: 'made', Warning: '' }]);
      expect(engine.asked.at(-1)).toEqual({ method: 'POST', path: '/networks/create', body });
    }
    expect(it.store.view.byName('network', 'x')).toBeUndefined();
  });

  it('makes a network of another driver for the swarm, which is each node’s own', async () => {
    const config = { ...MINE, Id: 'f'.repeat(64), Name: 'lan-config', ConfigOnly: true };
    await using it = await api(engineWith(BRIDGE, config));
    const body = { Name: 'lan', Driver: 'macvlan', Scope: 'swarm', ConfigFrom: { Network: 'lan-config' } };
    expect((await it.call('POST', '/networks/create', body)).status).toBe(201);
    expect(it.store.view.byName('network', 'lan')?.spec).toMatchObject({
      nodeLocal: true,
      configFrom: 'lan-config',
    });
    expect((await it.call('GET', '/networks/lan')).value).toMatchObject({
      Scope: 'swarm',
      Driver: 'macvlan',
      ConfigFrom: { Network: 'lan-config' },
    });
  });
});
