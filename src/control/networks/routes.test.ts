import { describe, expect, it } from 'vitest';
import { SwarmError } from '../../base/errors.ts';
import { ingressNetwork, initialNetworks } from '../../allocator/index.ts';
import type { Network, ServiceSpec, Task } from '../../model/index.ts';
import type { EnginePort } from '../context.ts';
import { startControlApi, type ControlApi } from '../testing/control-api.ts';

const BRIDGE = { Name: 'bridge', Id: 'b'.repeat(64), Scope: 'local', Driver: 'bridge', Containers: {} };
const HOST = { Name: 'host', Id: 'c'.repeat(64), Scope: 'local', Driver: 'host', Containers: {} };
const MINE = { Name: 'mine', Id: 'd'.repeat(64), Scope: 'local', Driver: 'bridge', Containers: {} };

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/** An engine with these networks, which remembers what it was asked. */
function engineWith(
  ...networks: { readonly Name: string; readonly Id: string }[]
): EnginePort & { asked: Asked[] } {
  const asked: Asked[] = [];
  return {
    asked,
    json(method, path, body) {
      asked.push({ method, path, body });
      const noun = path.split('?')[0];
      if (method === 'GET' && noun === '/networks') return Promise.resolve({ status: 200, value: networks });
      const found = networks.find(({ Id, Name }) => [Id, Name].some((one) => noun === `/networks/${one}`));
      if (method === 'GET' && found)
        return Promise.resolve({ status: 200, value: { ...found, Whole: true } });
      if (method === 'DELETE' && found) return Promise.resolve({ status: 204, value: undefined });
      if (path === '/networks/create')
        return Promise.resolve({ status: 201, value: { Id: 'made', Warning: '' } });
      if (noun === '/networks/prune')
        return Promise.resolve({ status: 200, value: { NetworksDeleted: ['mine'] } });
      return Promise.resolve({ status: 404, value: { message: 'not here' } });
    },
  };
}

const DOWN: EnginePort = {
  json: () => Promise.reject(new SwarmError('unavailable', 'the engine does not answer')),
};

async function api(engine: EnginePort = engineWith(BRIDGE, HOST, MINE)): Promise<ControlApi> {
  const started = await startControlApi({ engine });
  await started.store.update((tx) => {
    for (const network of initialNetworks()) tx.create('network', network);
  });
  return started;
}

const overlay = (more: object = {}): object => ({ Name: 'web', Driver: 'overlay', ...more });

function serviceOn(id: string, networks: readonly string[], endpoint?: ServiceSpec['endpoint']) {
  return {
    id,
    specVersion: 1,
    spec: {
      annotations: { name: id, labels: {} },
      task: {
        networks: networks.map((target) => ({ target, aliases: [], driverOptions: {}, addresses: [] })),
        forceUpdate: 0,
      },
      mode: { kind: 'replicated' as const, replicas: 1 },
      ...(endpoint ? { endpoint } : {}),
    },
  };
}

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

describe('GET /networks', () => {
  const names = async (it: ControlApi, filters?: object): Promise<string[]> => {
    const query = filters ? `?filters=${encodeURIComponent(JSON.stringify(filters))}` : '';
    const { status, value } = await it.call('GET', `/networks${query}`);
    expect(status).toBe(200);
    return (value as { Name: string }[]).map(({ Name }) => Name);
  };

  it('shows the swarm’s and the engine’s, each once', async () => {
    await using it = await api(engineWith(BRIDGE, HOST, { Name: 'web', Id: 'w' }));
    const spec = { ...ingressNetwork().spec, annotations: { name: 'web', labels: {} }, ingress: false };
    expect(await names(it)).toEqual(['ingress', 'bridge', 'host', 'web']);
    await it.store.update((tx) => tx.create('network', { id: 'w', spec }));
    expect(await names(it)).toEqual(['ingress', 'web', 'bridge', 'host']);
  });

  it('shows the swarm’s while the engine is down', async () => {
    await using it = await api(DOWN);
    await it.call('POST', '/networks/create', overlay());
    expect(await names(it)).toEqual(['ingress', 'web']);
    expect((await it.call('GET', '/networks/web')).status).toBe(200);
    expect((await it.call('DELETE', '/networks/web')).status).toBe(204);
    expect((await it.call('GET', '/networks/web')).message).toBe('network web not found');
  });

  it('filters as Docker does', async () => {
    await using it = await api(engineWith());
    for (const name of ['web', 'webdb', 'cache'])
      await it.call('POST', '/networks/create', overlay({ Name: name, Labels: { [name]: 'x' } }));
    const web = it.store.view.byName('network', 'web');
    await it.store.update((tx) => tx.create('service', serviceOn('s', [web?.id ?? ''])));
    expect(await names(it, { name: ['web'] })).toEqual(['web', 'webdb']);
    expect(await names(it, { name: ['^web$'] })).toEqual(['web']);
    expect(await names(it, { id: [web?.id.slice(0, 12)] })).toEqual(['web']);
    expect(await names(it, { label: ['cache=x'] })).toEqual(['cache']);
    expect(await names(it, { driver: ['bridge'] })).toEqual([]);
    expect(await names(it, { scope: ['local'] })).toEqual([]);
    expect(await names(it, { type: ['custom'], scope: ['swarm'] })).toHaveLength(4);
    expect(await names(it, { dangling: ['true'] })).toEqual(['webdb', 'cache']);
    expect(await names(it, { dangling: ['false'] })).toEqual(['ingress', 'web']);
    for (const filters of [{ color: ['red'] }, { type: ['odd'] }, { dangling: ['maybe'] }]) {
      const text = encodeURIComponent(JSON.stringify(filters));
      expect((await it.call('GET', `/networks?filters=${text}`)).status).toBe(400);
    }
  });
});

describe('GET /networks/{id}', () => {
  it('takes ids, names and beginnings of ids, and says when several fit', async () => {
    await using it = await api(engineWith(BRIDGE, HOST, { ...MINE, Name: 'twin' }));
    await it.store.update((tx) => {
      for (const id of ['aa11', 'aa22'])
        tx.create('network', {
          id,
          spec: { ...ingressNetwork().spec, annotations: { name: `n${id}`, labels: {} } },
        });
      tx.create('network', {
        id: 'zz',
        spec: { ...ingressNetwork().spec, annotations: { name: 'twin', labels: {} } },
      });
    });
    const idOf = async (term: string): Promise<unknown> =>
      ((await it.call('GET', `/networks/${term}`)).value as { Id?: string }).Id;
    expect(await idOf('aa11')).toBe('aa11');
    expect(await idOf('naa22')).toBe('aa22');
    expect(await idOf('aa2')).toBe('aa22');
    expect(await idOf('zz')).toBe('zz');
    const refused = async (term: string): Promise<[number, string]> => {
      const { status, message } = await it.call('GET', `/networks/${term}`);
      return [status, message];
    };
    expect(await refused('aa')).toEqual([
      400,
      'network aa is ambiguous (2 matches found based on ID prefix)',
    ]);
    expect(await refused('twin')).toEqual([400, 'network twin is ambiguous (2 matches found based on name)']);
    expect(await refused('nobody')).toEqual([404, 'network nobody not found']);
    expect((await it.call('GET', '/networks/zz?verbose=odd')).status).toBe(400);
  });

  it('shows what the engine knows where a container is there, and the swarm’s own by its scope', async () => {
    const engine = engineWith(BRIDGE, HOST, { Name: 'web', Id: 'w' });
    await using it = await api(engine);
    const spec = { ...ingressNetwork().spec, annotations: { name: 'web', labels: {} }, ingress: false };
    await it.store.update((tx) => tx.create('network', { id: 'w', spec }));
    expect((await it.call('GET', '/networks/web?verbose=true')).value).toMatchObject({
      Id: 'w',
      Whole: true,
    });
    expect(engine.asked.at(-1)?.path).toBe('/networks/w?verbose=true');
    expect((await it.call('GET', '/networks/host')).value).toMatchObject({ Id: HOST.Id, Scope: 'local' });
    const host = it.store.view.byName('network', 'host');
    const own = {
      Id: host?.id,
      Scope: 'swarm',
      Driver: 'host',
      Labels: { 'com.docker.swarm.predefined': 'true' },
    };
    expect((await it.call('GET', '/networks/host?scope=swarm')).value).toMatchObject(own);
    expect((await it.call('GET', `/networks/${host?.id}`)).value).toMatchObject(own);
    expect((await it.call('GET', '/networks/web?scope=local')).status).toBe(404);
  });

  it('takes what an engine still has of a removed network for none of that name', async () => {
    const left = { Name: 'web', Id: 'e'.repeat(25), Scope: 'swarm', Driver: 'overlay' };
    await using it = await api(engineWith(BRIDGE, HOST, left));
    expect((await it.call('GET', '/networks/web')).status).toBe(404);
    expect((await it.call('DELETE', '/networks/web')).status).toBe(404);
    expect((await it.call('POST', '/networks/create', overlay())).status).toBe(201);
    const own = it.store.view.byName('network', 'web') as Network;
    expect((await it.call('GET', '/networks/web')).value).toMatchObject({ Id: own.id });
    expect((await it.call('GET', `/networks/${left.Id}`)).value).toMatchObject({ Whole: true });
    const listed = (await it.call('GET', '/networks')).value as { Name: string; Id: string }[];
    expect(listed.filter(({ Name }) => Name === 'web').map(({ Id }) => Id)).toEqual([own.id]);
  });
});

describe('DELETE /networks/{id}', () => {
  it('removes what nobody uses, and says who does', async () => {
    const engine = engineWith(BRIDGE, HOST, MINE);
    await using it = await api(engine);
    await it.call('POST', '/networks/create', overlay());
    const { id } = it.store.view.byName('network', 'web') as Network;
    const ingress = it.store.view.byName('network', 'ingress') as Network;
    await it.store.update((tx) => {
      tx.create('service', serviceOn('user', [id]));
      const ports = [
        { name: '', protocol: 'tcp', targetPort: 80, publishedPort: 80, publishMode: 'ingress' } as const,
      ];
      tx.create('service', serviceOn('published', [], { mode: 'vip', ports }));
    });
    const remove = async (term: string): Promise<[number, string]> => {
      const { status, message } = await it.call('DELETE', `/networks/${term}`);
      return [status, message.replace(/^rpc error: code = \w+ desc = /, '')];
    };
    expect(await remove('web')).toEqual([400, `network ${id} is in use by service user`]);
    expect(await remove(ingress.id)).toEqual([
      400,
      'ingress network cannot be removed because service published depends on it',
    ]);
    const task = (desiredState: Task['desiredState']): Omit<Task, 'meta'> => ({
      ...(TASK as Omit<Task, 'meta'>),
      spec: serviceOn('user', [id]).spec.task,
      desiredState,
    });
    await it.store.update((tx) => {
      tx.remove('service', 'user');
      tx.remove('service', 'published');
      tx.create('task', task('running'));
    });
    expect(await remove('web')).toEqual([400, `network ${id} is in use by task t`]);
    await it.store.update((tx) => {
      tx.remove('task', 't');
      tx.create('task', task('remove'));
    });
    expect(await remove(id.slice(0, 10))).toEqual([204, '']);
    expect(await remove('ingress')).toEqual([204, '']);
    expect(await remove('web')).toEqual([404, 'network web not found']);
    const { id: host } = it.store.view.byName('network', 'host') as Network;
    expect(await remove(host)).toEqual([403, 'host is a pre-defined network and cannot be removed']);
    expect(await remove('mine')).toEqual([204, '']);
    expect(engine.asked.at(-1)).toMatchObject({ method: 'DELETE', path: `/networks/${MINE.Id}` });
  });
});

describe('POST /networks/prune', () => {
  it('removes what nobody uses, but not the ingress network', async () => {
    const engine = engineWith(BRIDGE);
    await using it = await api(engine);
    for (const [name, label] of [
      ['used', 'a'],
      ['free', 'a'],
      ['other', 'b'],
    ] as const)
      await it.call('POST', '/networks/create', overlay({ Name: name, Labels: { [label]: '' } }));
    const used = it.store.view.byName('network', 'used') as Network;
    await it.store.update((tx) => tx.create('service', serviceOn('s', [used.id])));
    const prune = async (filters: object): Promise<unknown> => {
      const text = encodeURIComponent(JSON.stringify(filters));
      const { value } = await it.call('POST', `/networks/prune?filters=${text}`);
      return (value as { NetworksDeleted: unknown }).NetworksDeleted;
    };
    expect(await prune({ until: ['1h'] })).toEqual(['mine']);
    expect(await prune({ label: ['a'] })).toEqual(['free', 'mine']);
    expect(await prune({ 'label!': ['b'] })).toEqual(['mine']);
    expect(await prune({})).toEqual(['other', 'mine']);
    const odd = encodeURIComponent('{"driver":["overlay"]}');
    expect((await it.call('POST', `/networks/prune?filters=${odd}`)).status).toBe(400);
    expect(it.store.view.byName('network', 'ingress')).toBeDefined();
  });

  it('works while the engine is down', async () => {
    await using it = await api(DOWN);
    await it.call('POST', '/networks/create', overlay());
    expect((await it.call('POST', '/networks/prune')).value).toEqual({ NetworksDeleted: ['web'] });
    expect((await it.call('POST', '/networks/prune')).value).toEqual({ NetworksDeleted: null });
  });
});

const TASK: Partial<Task> = {
  id: 't',
  serviceId: 'user',
  slot: 1,
  nodeId: '',
  annotations: { name: '', labels: {} },
  serviceAnnotations: { name: 'user', labels: {} },
  specVersion: 1,
  status: {
    state: 'running',
    timestampMs: 0,
    message: '',
    err: '',
    ports: [],
    appliedBy: '',
    appliedAtMs: 0,
  },
  networks: [],
  assignedGenericResources: [],
};
