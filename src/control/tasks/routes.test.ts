import { describe, expect, it } from 'vitest';
import type { Task } from '../../model/index.ts';
import type { Fresh, Store } from '../../store/index.ts';
import { startControlApi, type ControlApi } from '../testing/control-api.ts';

const STATUS = {
  state: 'running',
  timestampMs: Date.UTC(2024, 0, 2, 3, 4, 5, 120),
  message: 'started',
  err: '',
  ports: [],
  appliedBy: '',
  appliedAtMs: 0,
} as const satisfies Task['status'];

function taskOf(id: string, parts: Partial<Task> = {}): Fresh<'task'> {
  return {
    id,
    serviceId: '',
    slot: 0,
    nodeId: '',
    annotations: { name: '', labels: {} },
    serviceAnnotations: { name: 'web', labels: { tier: 'front' } },
    spec: { networks: [], forceUpdate: 0, container: undefined },
    specVersion: 0,
    status: STATUS,
    desiredState: 'running',
    networks: [],
    assignedGenericResources: [],
    ...parts,
  };
}

/** Two services with tasks on two nodes. */
async function fill(api: ControlApi): Promise<void> {
  for (const Name of ['web', 'db']) {
    const spec = { Name, TaskTemplate: { ContainerSpec: { Image: 'nginx' } } };
    await api.call('POST', '/services/create', spec);
  }
  await api.store.update((tx) => {
    const [web, db] = ['web', 'db'].map((name) => tx.byName('service', name));
    if (!web || !db) throw new Error('missing');
    for (const [id, hostname] of [
      ['n1', 'one'],
      ['n2', 'two'],
    ] as const) {
      tx.create('node', {
        id,
        spec: { annotations: { name: '', labels: {} }, role: 'worker', availability: 'active' },
        role: 'worker',
        status: { state: 'ready', message: '', addr: '' },
        certificate: { csrPem: '', certPem: '', state: 'issued' },
        attachments: [],
        description: {
          hostname,
          platform: { architecture: '', os: '' },
          resources: { nanoCpus: 0, memoryBytes: 0, generic: [] },
          engineVersion: '',
          engineLabels: {},
          plugins: [],
          tls: { trustRootPem: '', issuerSubject: '', issuerPublicKey: '' },
          fips: false,
        },
      });
    }
    const { spec, specVersion } = { spec: web.spec.task, specVersion: web.specVersion };
    const made = { spec, specVersion };
    tx.create('task', taskOf('t1', { ...made, serviceId: web.id, slot: 1, nodeId: 'n1' }));
    tx.create(
      'task',
      taskOf('t2', {
        ...made,
        serviceId: web.id,
        slot: 2,
        nodeId: 'n2',
        desiredState: 'shutdown',
        specVersion: 0,
        spec: { ...spec, forceUpdate: 9 },
      }),
    );
    tx.create(
      'task',
      taskOf('t3', {
        spec: db.spec.task,
        specVersion: 0,
        serviceId: db.id,
        nodeId: 'n1',
        serviceAnnotations: { name: 'db', labels: {} },
      }),
    );
    tx.create(
      'task',
      taskOf('t4', { spec: { ...spec, container: undefined, attachment: { containerId: 'c' } } }),
    );
  });
}

async function idsOf(api: ControlApi, filters: object): Promise<string[]> {
  const query = encodeURIComponent(JSON.stringify(filters));
  const { value } = await api.call('GET', `/tasks?filters=${query}`);
  return (value as { ID: string }[]).map(({ ID }) => ID);
}

function serviceId(store: Store, name: string): string {
  return store.view.byName('service', name)?.id ?? '';
}

describe('GET /tasks', () => {
  it('chooses by filters', async () => {
    await using api = await startControlApi();
    await fill(api);
    expect(await idsOf(api, {})).toEqual(['t1', 't2', 't3']);
    expect(await idsOf(api, { service: ['web'] })).toEqual(['t1', 't2']);
    expect(await idsOf(api, { service: [serviceId(api.store, 'db'), 'web'] })).toHaveLength(3);
    expect(await idsOf(api, { node: ['one'] })).toEqual(['t1', 't3']);
    expect(await idsOf(api, { node: ['n1'], service: ['web'] })).toEqual(['t1']);
    expect(await idsOf(api, { name: ['web.2'] })).toEqual(['t2']);
    expect(await idsOf(api, { name: ['db.n1.'] })).toEqual(['t3']);
    expect(await idsOf(api, { id: ['t3', 't1'] })).toEqual(['t1', 't3']);
    expect(await idsOf(api, { label: ['tier=front'] })).toEqual(['t1', 't2']);
    expect(await idsOf(api, { 'desired-state': ['shutdown'] })).toEqual(['t2']);
    expect(await idsOf(api, { 'desired-state': ['RUNNING', 'shutdown'] })).toHaveLength(3);
    expect(await idsOf(api, { runtime: ['attachment'] })).toEqual(['t4']);
  });

  it('tells which are made from their services’ present specs', async () => {
    await using api = await startControlApi();
    await fill(api);
    // t3 has an old version, but says the same.
    expect(await idsOf(api, { '_up-to-date': ['true'] })).toEqual(['t1', 't3']);
  });

  it.each([
    [{ service: ['nope'] }, 404, 'service nope not found'],
    [{ node: ['nope'] }, 404, 'node nope not found'],
    [{ 'desired-state': ['odd'] }, 400, "Invalid desired-state filter: 'odd'"],
    [{ since: ['x'] }, 400, "invalid filter 'since'"],
    [{ id: 'x' }, 400, "invalid filter 'id'"],
  ])('refuses %j', async (filters, status, words) => {
    await using api = await startControlApi();
    const answer = await api.call('GET', `/tasks?filters=${encodeURIComponent(JSON.stringify(filters))}`);
    expect([answer.status, answer.message]).toEqual([status, words]);
  });

  it('sends long lists whole', async () => {
    await using api = await startControlApi();
    const ids = Array.from({ length: 1234 }, (_, at) => `t${at}`);
    await api.store.batch(ids, (tx, id) => void tx.create('task', taskOf(id)));
    const { value, headers } = await api.call('GET', '/tasks');
    expect(headers['content-type']).toBe('application/json');
    expect((value as { ID: string }[]).map(({ ID }) => ID)).toEqual(ids);
  });
});

describe('GET /tasks/{id}', () => {
  it('shows a task as Docker does', async () => {
    await using api = await startControlApi();
    await api.store.update((tx) => {
      tx.create('network', {
        id: 'n1',
        spec: {
          annotations: { name: 'back', labels: {} },
          driver: { name: 'overlay', options: {} },
          ipv6: false,
          internal: false,
          attachable: true,
          ingress: false,
          configOnly: false,
          nodeLocal: false,
        },
        allocated: {
          driver: { name: 'overlay', options: { 'com.docker.network.driver.overlay.vxlanid_list': '4097' } },
          ipam: {
            driver: { name: 'default', options: {} },
            configs: [{ subnet: '10.0.1.0/24', range: '', gateway: '10.0.1.1', reserved: { a: '10.0.1.9' } }],
          },
        },
      });
      tx.create(
        'task',
        taskOf('t1', {
          serviceId: 's1',
          slot: 3,
          nodeId: 'x1',
          jobIteration: 2,
          networks: [{ networkId: 'n1', addresses: ['10.0.1.5/24'], aliases: [], driverOptions: {} }],
          assignedGenericResources: [{ kind: 'gpu', value: 'g1' }],
          status: {
            ...STATUS,
            container: { id: 'c1', pid: 12, exitCode: 0 },
            ports: [{ name: '', protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'host' }],
          },
        }),
      );
    });
    const time = expect.stringMatching(/^20/) as string;
    const meta = { Version: { Index: 1 }, CreatedAt: time, UpdatedAt: time };
    expect((await api.call('GET', '/tasks/t1')).value).toEqual({
      ID: 't1',
      ...meta,
      Labels: {},
      Spec: { ForceUpdate: 0 },
      ServiceID: 's1',
      Slot: 2, // Docker's jobs begin with 0
      NodeID: 'x1',
      Status: {
        Timestamp: '2024-01-02T03:04:05.12Z',
        State: 'running',
        Message: 'started',
        ContainerStatus: { ContainerID: 'c1', PID: 12, ExitCode: 0 },
        PortStatus: {
          Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'host' }],
        },
      },
      DesiredState: 'running',
      NetworksAttachments: [
        {
          Network: {
            ID: 'n1',
            ...meta,
            Spec: {
              Name: 'back',
              Labels: {},
              DriverConfiguration: { Name: 'overlay' },
              Attachable: true,
              Scope: 'swarm',
            },
            DriverState: {
              Name: 'overlay',
              Options: { 'com.docker.network.driver.overlay.vxlanid_list': '4097' },
            },
            IPAMOptions: {
              Driver: { Name: 'default' },
              Configs: [{ Subnet: '10.0.1.0/24', Gateway: '10.0.1.1' }],
            },
          },
          Addresses: ['10.0.1.5/24'],
        },
      ],
      GenericResources: [{ NamedResourceSpec: { Kind: 'gpu', Value: 'g1' } }],
      JobIteration: { Index: 2 },
    });
  });

  it("shows a network of the engines' own, of which nothing is allocated", async () => {
    await using api = await startControlApi();
    await fill(api);
    await api.store.update((tx) => {
      const flags = { ipv6: false, internal: false, attachable: false, ingress: false, configOnly: false };
      tx.create('network', {
        id: 'h1',
        spec: {
          annotations: { name: 'host', labels: {} },
          driver: { name: 'host', options: {} },
          ...flags,
          nodeLocal: true,
        },
      });
      const task = tx.get('task', 't1');
      const attachment = { networkId: 'h1', addresses: [], aliases: [], driverOptions: {} };
      if (task) tx.update('task', { ...task, networks: [attachment] });
    });
    expect((await api.call('GET', '/tasks/t1')).value).toMatchObject({
      NetworksAttachments: [
        { Network: { ID: 'h1', DriverState: { Name: 'host' }, IPAMOptions: { Driver: {} } } },
      ],
    });
  });

  it('shows a task that never ran', async () => {
    await using api = await startControlApi();
    await fill(api);
    await api.store.update((tx) => {
      const task = tx.get('task', 't1');
      if (task)
        tx.update('task', { ...task, status: { ...STATUS, state: 'pending', err: 'no room', message: '' } });
    });
    const { value } = await api.call('GET', '/tasks/t1');
    expect(value).toMatchObject({
      Spec: { ContainerSpec: { Image: 'nginx', Isolation: 'default' }, ForceUpdate: 0 },
      Status: { State: 'pending', Err: 'no room', PortStatus: {} },
    });
    expect(value).not.toHaveProperty('Spec.Runtime');
    expect(value).not.toHaveProperty('Status.ContainerStatus');
  });

  it('finds a task by its name', async () => {
    await using api = await startControlApi();
    await fill(api);
    expect((await api.call('GET', '/tasks/web.2.t2')).value).toMatchObject({ ID: 't2' });
    const missing = await api.call('GET', '/tasks/none');
    expect([missing.status, missing.message]).toEqual([404, 'task none not found']);
    const several = await api.call('GET', '/tasks/t');
    expect([several.status, several.message]).toEqual([400, 'task t is ambiguous (4 matches found)']);
  });
});
