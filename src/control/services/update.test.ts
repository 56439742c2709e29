import { describe, expect, it } from 'vitest';
import { startControlApi } from '../testing/control-api.ts';
import {
  SPEC,
  create,
  serviceOf,
  putNetworks,
  putSecret,
  withSecret,
  published,
} from '../testing/service-samples.ts';

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
