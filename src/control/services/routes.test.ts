import { describe, expect, it } from 'vitest';
import { newManagerNode } from '../../model/index.ts';
import { startControlApi } from '../testing/control-api.ts';
import {
  SPEC,
  create,
  serviceOf,
  taskOf,
  putNetworks,
  putSecret,
  withSecret,
  published,
} from '../testing/service-samples.ts';

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
      const gone = newManagerNode({ id: 'gone', addr: '192.0.2.9:2377', availability: 'active' });
      tx.create('node', { ...gone, status: { ...gone.status, state: 'down' } });
      tx.create('task', taskOf(web, 't7', { nodeId: 'gone', desiredState: 'shutdown' }));
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
