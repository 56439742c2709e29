import { describe, expect, it } from 'vitest';
import type { Service, Task } from '../../model/index.ts';
import type { Fresh, Store } from '../../store/index.ts';
import { startControlApi, type ControlApi } from '../testing/control-api.ts';

const SPEC = {
  Name: 'web',
  TaskTemplate: { ContainerSpec: { Image: 'nginx' } },
  Mode: { Replicated: { Replicas: 2 } },
};

async function create(api: ControlApi, spec: object = SPEC): Promise<string> {
  const answer = await api.call('POST', '/services/create', spec);
  expect(answer.message).toBe('');
  expect(answer.status).toBe(201);
  return (answer.value as { ID: string }).ID;
}

function serviceOf(store: Store, name = 'web'): Service {
  const service = store.view.byName('service', name);
  if (!service) throw new Error(`no service ${name}`);
  return service;
}

function taskOf(service: Service, id: string, parts: Partial<Task>): Fresh<'task'> {
  return {
    id,
    serviceId: service.id,
    slot: 1,
    nodeId: '',
    annotations: { name: '', labels: {} },
    serviceAnnotations: service.spec.annotations,
    spec: service.spec.task,
    specVersion: service.specVersion,
    status: {
      state: 'running',
      timestampMs: 0,
      message: '',
      err: '',
      ports: [],
      appliedBy: '',
      appliedAtMs: 0,
    },
    desiredState: 'running',
    networks: [],
    assignedGenericResources: [],
    ...parts,
  };
}

async function putNetworks(store: Store): Promise<void> {
  await store.update((tx) => {
    for (const [id, name, ingress] of [
      ['n0', 'ingress', true],
      ['n1', 'back', false],
    ] as const) {
      tx.create('network', {
        id,
        spec: {
          annotations: { name, labels: {} },
          ipv6: false,
          internal: false,
          attachable: false,
          ingress,
          configOnly: false,
          nodeLocal: false,
        },
      });
    }
  });
}

async function putSecret(store: Store): Promise<void> {
  await store.update((tx) =>
    tx.create('secret', {
      id: 's1',
      spec: { annotations: { name: 'key', labels: {} }, data: Buffer.from('x') },
    }),
  );
}

const withSecret = (SecretID: string, SecretName: string): object => ({
  ...SPEC,
  TaskTemplate: {
    ContainerSpec: {
      Image: 'nginx',
      Secrets: [{ SecretID, SecretName, File: { Name: 'f', UID: '0', GID: '0', Mode: 292 } }],
    },
  },
});

const published = (Name: string, port: object): object => ({
  ...SPEC,
  Name,
  EndpointSpec: { Ports: [{ TargetPort: 80, PublishedPort: 80, ...port }] },
});

describe('POST /services/create', () => {
  it('writes a service that is shown as it was given', async () => {
    await using api = await startControlApi();
    const answer = await api.call('POST', '/services/create', SPEC);
    const { id, meta } = serviceOf(api.store);
    expect(answer).toMatchObject({ status: 201, value: { ID: id, Warnings: null } });
    const shown = await api.call('GET', '/services/web');
    expect(shown.value).toEqual({
      ID: id,
      Version: { Index: meta.version },
      CreatedAt: expect.stringMatching(/^20.*Z$/) as string,
      UpdatedAt: expect.stringMatching(/^20.*Z$/) as string,
      Spec: {
        Name: 'web',
        Labels: {},
        TaskTemplate: {
          ContainerSpec: { Image: 'nginx', Isolation: 'default' },
          ForceUpdate: 0,
          Runtime: 'container',
        },
        Mode: { Replicated: { Replicas: 2 } },
      },
      Endpoint: { Spec: {} },
    });
  });

  it('gives a name to a service that has none', async () => {
    await using api = await startControlApi();
    await create(api, { ...SPEC, Name: undefined });
    const [service] = api.store.view.all('service');
    expect(service?.spec.annotations.name).toMatch(/^[a-z]+_[a-z]+$/);
  });

  it('keeps the credentials of a registry, and never shows them', async () => {
    await using api = await startControlApi();
    await api.call('POST', '/services/create', SPEC, { headers: { 'x-registry-auth': 'c2VjcmV0' } });
    expect(serviceOf(api.store).spec.task.container?.registryAuth).toBe('c2VjcmV0');
    const shown = await api.call('GET', '/services/web');
    expect(shown.bytes.toString()).not.toContain('c2VjcmV0');
  });

  it('begins a job with its first run', async () => {
    await using api = await startControlApi();
    await create(api, { ...SPEC, Mode: { ReplicatedJob: { MaxConcurrent: 2 } } });
    const shown = await api.call('GET', '/services/web');
    expect(shown.value).toMatchObject({
      Spec: { Mode: { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 2 } } },
      JobStatus: { JobIteration: {}, LastExecution: expect.stringMatching(/^20/) as string },
    });
  });

  it('puts the ids of networks in the place of their names', async () => {
    await using api = await startControlApi();
    await putNetworks(api.store);
    await create(api, {
      ...SPEC,
      TaskTemplate: { ...SPEC.TaskTemplate, Networks: [{ Target: 'back', Aliases: ['w'] }] },
    });
    expect(serviceOf(api.store).spec.task.networks).toMatchObject([{ target: 'n1', aliases: ['w'] }]);
  });

  it('leaves out what an old client can’t know', async () => {
    await using api = await startControlApi();
    const ContainerSpec = { Image: 'x', Sysctls: { a: 'b' }, CapabilityAdd: ['ALL'], OomScoreAdj: 5 };
    const spec = { ...SPEC, TaskTemplate: { ContainerSpec }, Mode: { GlobalJob: {} } };
    await api.call('POST', '/services/create', spec, { minor: 39 });
    expect(serviceOf(api.store).spec).toMatchObject({
      mode: { kind: 'replicated', replicas: 1 },
      task: { container: { image: 'x', sysctls: {}, capabilityAdd: [], oomScoreAdj: 0 } },
    });
  });

  it.each([
    ['no body', undefined, 400, 'mismatched Runtime and *Spec fields'],
    ['no JSON', '{', 400, /^invalid JSON: /],
    ['a list', '[]', 400, 'invalid JSON: expected an object'],
    ['no image', { Name: 'a', TaskTemplate: { ContainerSpec: {} } }, 400, /image reference must be provided/],
    [
      'an unknown network',
      { ...SPEC, TaskTemplate: { ...SPEC.TaskTemplate, Networks: [{ Target: 'no' }] } },
      404,
      'network no not found',
    ],
    [
      'an unknown secret',
      withSecret('s2', 'key'),
      400,
      'rpc error: code = InvalidArgument desc = secret not found: key',
    ],
    [
      'a secret by another name',
      withSecret('s1', 'lock'),
      400,
      'rpc error: code = InvalidArgument desc = secret not found: lock',
    ],
    [
      'a port without an ingress network',
      published('a', {}),
      400,
      'rpc error: code = FailedPrecondition desc = service needs ingress network, but no ingress network is present',
    ],
  ])('refuses %s', async (_, body, status, words) => {
    await using api = await startControlApi();
    await putSecret(api.store);
    const answer = await api.call('POST', '/services/create', body);
    expect(answer.status).toBe(status);
    expect(answer.message).toMatch(words);
    expect(api.store.view.count('service')).toBe(0);
  });

  it('refuses a name that is taken', async () => {
    await using api = await startControlApi();
    await create(api);
    const answer = await api.call('POST', '/services/create', SPEC);
    expect(answer.status).toBe(409);
    expect(answer.message).toBe(
      'rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists',
    );
  });

  it('refuses a published port that is taken, but not the same in host mode', async () => {
    await using api = await startControlApi();
    await putNetworks(api.store);
    const id = await create(api, published('one', {}));
    const answer = await api.call('POST', '/services/create', published('two', {}));
    expect(answer.status).toBe(400);
    expect(answer.message).toBe(
      `rpc error: code = InvalidArgument desc = port '80' is already in use by service 'one' (${id}) as an ingress port`,
    );
    await create(api, published('three', { PublishedPort: 81, PublishMode: 'host' }));
    await create(api, published('four', { PublishedPort: 81, PublishMode: 'host' }));
  });
});

describe('GET /services', () => {
  it('chooses by filters', async () => {
    await using api = await startControlApi();
    const webId = await create(api, { ...SPEC, Labels: { tier: 'front' } });
    await create(api, { ...SPEC, Name: 'agent', Mode: { Global: {} } });
    const names = async (filters: object): Promise<string[]> => {
      const query = encodeURIComponent(JSON.stringify(filters));
      const { value } = await api.call('GET', `/services?filters=${query}`);
      return (value as { Spec: { Name: string } }[]).map(({ Spec }) => Spec.Name);
    };
    expect(await names({})).toEqual(['web', 'agent']);
    expect(await names({ name: ['w'] })).toEqual(['web']);
    expect(await names({ id: [webId.slice(0, 10)] })).toEqual(['web']);
    expect(await names({ label: ['tier=front'] })).toEqual(['web']);
    expect(await names({ label: { tier: true } })).toEqual(['web']);
    expect(await names({ mode: ['global'] })).toEqual(['agent']);
    expect(await names({ mode: ['global', 'replicated'] })).toEqual(['web', 'agent']);
    expect(await names({ runtime: ['plugin'] })).toEqual([]);
  });

  it('counts tasks where that is asked for', async () => {
    await using api = await startControlApi();
    await create(api);
    await create(api, { ...SPEC, Name: 'job', Mode: { ReplicatedJob: { MaxConcurrent: 2 } } });
    await create(api, { ...SPEC, Name: 'agent', Mode: { Global: {} } });
    const [web, job, agent] = ['web', 'job', 'agent'].map((name) => serviceOf(api.store, name));
    await api.store.update((tx) => {
      if (!web || !job || !agent) throw new Error('missing');
      const ended = { ...taskOf(web, '', {}).status, state: 'complete' } as const;
      tx.create('task', taskOf(web, 't1', {}));
      tx.create('task', taskOf(web, 't2', { status: { ...ended, state: 'failed' } }));
      tx.create('task', taskOf(job, 't3', { jobIteration: 0, status: ended, desiredState: 'complete' }));
      tx.create('task', taskOf(job, 't4', { jobIteration: 7 }));
      tx.create('task', taskOf(agent, 't5', {}));
      tx.create('task', taskOf(agent, 't6', { desiredState: 'shutdown' }));
    });
    const { value } = await api.call('GET', '/services?status=true');
    expect((value as { ServiceStatus: unknown }[]).map(({ ServiceStatus }) => ServiceStatus)).toEqual([
      { RunningTasks: 1, DesiredTasks: 2, CompletedTasks: 0 },
      { RunningTasks: 0, DesiredTasks: 2, CompletedTasks: 1 },
      { RunningTasks: 2, DesiredTasks: 1, CompletedTasks: 0 },
    ]);
    const old = await api.call('GET', '/services?status=true', undefined, { minor: 40 });
    expect(old.bytes.toString()).not.toContain('ServiceStatus');
  });

  it.each([
    ['filters=%7B', 'invalid filter'],
    ['filters=%7B%22node%22%3A%5B%22x%22%5D%7D', "invalid filter 'node'"],
    [
      'status=perhaps',
      'invalid value for status: perhaps: strconv.ParseBool: parsing "perhaps": invalid syntax',
    ],
  ])('refuses %s', async (query, words) => {
    await using api = await startControlApi();
    const answer = await api.call('GET', `/services?${query}`);
    expect([answer.status, answer.message]).toEqual([400, words]);
  });
});

describe('GET /services/{id}', () => {
  it('finds by id, name and the beginning of an id', async () => {
    await using api = await startControlApi();
    const id = await create(api);
    for (const reference of [id, 'web', id.slice(0, 12)]) {
      const { value } = await api.call('GET', `/services/${reference}`);
      expect(value).toMatchObject({ ID: id });
    }
  });

  it('tells what is not there from what is ambiguous', async () => {
    await using api = await startControlApi();
    await create(api);
    const { spec, specVersion } = serviceOf(api.store);
    await api.store.update((tx) => {
      for (const id of ['xx1', 'xx2']) {
        const annotations = { name: `n-${id}`, labels: {} };
        tx.create('service', { id, spec: { ...spec, annotations }, specVersion });
      }
    });
    const missing = await api.call('GET', '/services/nope');
    expect([missing.status, missing.message]).toEqual([404, 'service nope not found']);
    const several = await api.call('GET', '/services/xx');
    expect([several.status, several.message]).toEqual([400, 'service xx is ambiguous (2 matches found)']);
  });

  it('puts in what counts where nothing was given', async () => {
    await using api = await startControlApi();
    await create(api);
    const { value } = await api.call('GET', '/services/web?insertDefaults=true');
    const config = {
      Parallelism: 1,
      FailureAction: 'pause',
      Monitor: 5e9,
      MaxFailureRatio: 0,
      Order: 'stop-first',
    };
    expect((value as { Spec: unknown }).Spec).toEqual({
      Name: 'web',
      Labels: {},
      TaskTemplate: {
        ContainerSpec: { Image: 'nginx', Isolation: 'default', StopGracePeriod: 1e10, DNSConfig: {} },
        Resources: {},
        RestartPolicy: { Condition: 'any', Delay: 5e9, MaxAttempts: 0 },
        Placement: {},
        ForceUpdate: 0,
        Runtime: 'container',
      },
      Mode: { Replicated: { Replicas: 2 } },
      UpdateConfig: config,
      RollbackConfig: config,
    });
    const answer = await api.call('GET', '/services/web?insertDefaults=x');
    expect(answer.status).toBe(400);
  });
});

describe('POST /services/{id}/update', () => {
  const changed = { ...SPEC, TaskTemplate: { ContainerSpec: { Image: 'nginx:2' } } };

  it('keeps the former spec, and forgets the last update’s state', async () => {
    await using api = await startControlApi();
    await create(api);
    const before = serviceOf(api.store);
    await api.store.update((tx) =>
      tx.update('service', {
        ...before,
        updateStatus: { state: 'completed', startedAtMs: 1, completedAtMs: 2, message: 'm' },
      }),
    );
    const { meta } = serviceOf(api.store);
    const answer = await api.call('POST', `/services/web/update?version=${meta.version}`, changed);
    expect(answer).toMatchObject({ status: 200, value: { Warnings: null } });
    const after = serviceOf(api.store);
    expect(after.spec.task.container?.image).toBe('nginx:2');
    expect(after.previousSpec).toEqual(before.spec);
    expect(after.previousSpecVersion).toBe(before.specVersion);
    expect(after.specVersion).toBe(after.meta.version);
    expect(after.updateStatus).toBeUndefined();
    const shown = await api.call('GET', '/services/web');
    expect(shown.value).toMatchObject({
      PreviousSpec: { TaskTemplate: { ContainerSpec: { Image: 'nginx' } } },
    });
  });

  it('takes the former spec back', async () => {
    await using api = await startControlApi();
    await create(api);
    const first = serviceOf(api.store);
    await api.call('POST', `/services/web/update?version=${first.meta.version}`, changed);
    const second = serviceOf(api.store);
    const query = `version=${second.meta.version}&rollback=previous&registryAuthFrom=previous-spec`;
    const answer = await api.call('POST', `/services/web/update?${query}`, changed);
    expect(answer.message).toBe('');
    const third = serviceOf(api.store);
    expect(third.spec).toEqual(first.spec);
    expect(third.specVersion).toBe(first.specVersion);
    expect(third.previousSpec).toEqual(second.spec);
    expect(third.updateStatus).toMatchObject({
      state: 'rollback_started',
      message: 'manually requested rollback',
    });
    const shown = await api.call('GET', '/services/web');
    expect(shown.value).toMatchObject({
      UpdateStatus: {
        State: 'rollback_started',
        StartedAt: expect.stringMatching(/^20/) as string,
        Message: 'manually requested rollback',
      },
    });
  });

  it('keeps credentials that are not sent again', async () => {
    await using api = await startControlApi();
    await api.call('POST', '/services/create', SPEC, { headers: { 'x-registry-auth': 'b25l' } });
    const update = async (query: string, headers = {}): Promise<string | undefined> => {
      const { meta } = serviceOf(api.store);
      await api.call('POST', `/services/web/update?version=${meta.version}${query}`, changed, { headers });
      return serviceOf(api.store).spec.task.container?.registryAuth;
    };
    expect(await update('')).toBe('b25l');
    expect(await update('', { 'x-registry-auth': 'dHdv' })).toBe('dHdv');
    expect(await update('&registryAuthFrom=previous-spec')).toBe('b25l');
  });

  it('begins another run of a job', async () => {
    await using api = await startControlApi();
    const job = { ...SPEC, Mode: { GlobalJob: {} } };
    await create(api, job);
    const { meta } = serviceOf(api.store);
    await api.call('POST', `/services/web/update?version=${meta.version}`, job);
    expect(serviceOf(api.store).job?.iteration).toBe(1);
  });

  it('may keep its own published port', async () => {
    await using api = await startControlApi();
    await putNetworks(api.store);
    await create(api, published('web', {}));
    await create(api, published('other', { PublishedPort: 81 }));
    const { meta } = serviceOf(api.store);
    const taken = await api.call(
      'POST',
      `/services/web/update?version=${meta.version}`,
      published('web', { PublishedPort: 81 }),
    );
    expect(taken.message).toMatch(/port '81' is already in use/);
    const own = await api.call(
      'POST',
      `/services/web/update?version=${meta.version}`,
      published('web', { TargetPort: 8080 }),
    );
    expect(own.status).toBe(200);
  });

  it.each([
    ['', SPEC, 400, 'invalid service version \'\': strconv.ParseUint: parsing "": invalid syntax'],
    [
      'version=-1',
      SPEC,
      400,
      'invalid service version \'-1\': strconv.ParseUint: parsing "-1": invalid syntax',
    ],
    [
      'version=99999999999999999999',
      SPEC,
      400,
      'invalid service version \'99999999999999999999\': strconv.ParseUint: parsing "99999999999999999999": value out of range',
    ],
    ['version=0', SPEC, 500, 'rpc error: code = Unknown desc = update out of sequence'],
    ['version=1&rollback=never', SPEC, 400, 'unrecognized rollback option never'],
    ['version=1&registryAuthFrom=me', SPEC, 400, "invalid registryAuthFrom 'me'"],
    ['version=1&registryAuthFrom=previous-spec', SPEC, 400, 'service does not have a previous spec'],
    [
      'version=1&rollback=previous',
      SPEC,
      400,
      /^rpc error: code = FailedPrecondition desc = service \w{25} does not have a previous spec$/,
    ],
    [
      'version=1',
      { ...SPEC, Mode: { Global: {} } },
      501,
      'rpc error: code = Unimplemented desc = service mode change is not allowed',
    ],
    [
      'version=1',
      { ...SPEC, Name: 'other' },
      501,
      'rpc error: code = Unimplemented desc = renaming services is not supported',
    ],
    [
      'version=1',
      { ...SPEC, Name: '' },
      400,
      'rpc error: code = InvalidArgument desc = meta: name must be provided',
    ],
    [
      'version=1',
      withSecret('no', 'no'),
      400,
      'rpc error: code = InvalidArgument desc = secret not found: no',
    ],
    ['version=1', undefined, 400, 'mismatched Runtime and *Spec fields'],
  ])('refuses %j', async (query, body, status, words) => {
    await using api = await startControlApi();
    await create(api);
    const before = serviceOf(api.store);
    const answer = await api.call('POST', `/services/web/update?${query}`, body);
    expect(answer.status).toBe(status);
    if (typeof words === 'string') expect(answer.message).toBe(words);
    else expect(answer.message).toMatch(words);
    expect(serviceOf(api.store)).toBe(before);
  });

  it('refuses a service that is not there', async () => {
    await using api = await startControlApi();
    const answer = await api.call('POST', '/services/web/update?version=1', SPEC);
    expect([answer.status, answer.message]).toEqual([404, 'service web not found']);
  });

  it('lets one of two updates of the same version through', async () => {
    await using api = await startControlApi();
    await create(api);
    const { meta } = serviceOf(api.store);
    const answers = await Promise.all(
      [1, 2].map(() => api.call('POST', `/services/web/update?version=${meta.version}`, changed)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 500]);
  });

  it('does not bring back what needs a secret that is gone', async () => {
    await using api = await startControlApi();
    await putSecret(api.store);
    await create(api, withSecret('s1', 'key'));
    const first = serviceOf(api.store);
    await api.call('POST', `/services/web/update?version=${first.meta.version}`, SPEC);
    await api.call('DELETE', '/secrets/key');
    const { meta } = serviceOf(api.store);
    const query = `version=${meta.version}&rollback=previous`;
    const answer = await api.call('POST', `/services/web/update?${query}`, SPEC);
    expect([answer.status, answer.message]).toEqual([
      400,
      'rpc error: code = InvalidArgument desc = secret not found: key',
    ]);
  });
});

describe('DELETE /services/{id}', () => {
  it('removes the service by name', async () => {
    await using api = await startControlApi();
    await create(api);
    expect((await api.call('DELETE', '/services/web')).status).toBe(200);
    expect(api.store.view.count('service')).toBe(0);
    const again = await api.call('DELETE', '/services/web');
    expect([again.status, again.message]).toEqual([404, 'service web not found']);
  });
});
