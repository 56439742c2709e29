import { describe, expect, it } from 'vitest';
import { startControlApi, type ControlApi } from '../testing/control-api.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const SPEC = { Name: 'key', Labels: { a: 'b' }, Data: base64('hidden') };
const REFUSED = 'rpc error: code = InvalidArgument desc = ';

const KINDS = ['secret', 'config'] as const;
type DataKind = (typeof KINDS)[number];

async function create(api: ControlApi, kind: DataKind, spec: object = SPEC): Promise<string> {
  const answer = await api.call('POST', `/${kind}s/create`, spec);
  expect(answer.message).toBe('');
  expect(answer.status).toBe(201);
  return (answer.value as { ID: string }).ID;
}

async function use(api: ControlApi, kind: DataKind, id: string, Name: string): Promise<void> {
  const File = { Name: 'f', UID: '0', GID: '0', Mode: 292 };
  const ContainerSpec =
    kind === 'secret'
      ? { Image: 'x', Secrets: [{ SecretID: id, SecretName: 'key', File }] }
      : { Image: 'x', Configs: [{ ConfigID: id, ConfigName: 'key', File }] };
  const answer = await api.call('POST', '/services/create', { Name, TaskTemplate: { ContainerSpec } });
  expect(answer.message).toBe('');
}

describe.each(KINDS)('%ss', (kind) => {
  it('are shown as they were given', async () => {
    await using api = await startControlApi();
    const id = await create(api, kind, { ...SPEC, Templating: { Name: 'golang' } });
    for (const reference of [id, 'key', id.slice(0, 10)]) {
      const { value } = await api.call('GET', `/${kind}s/${reference}`);
      expect(value).toEqual({
        ID: id,
        Version: { Index: api.store.view.get(kind, id)?.meta.version },
        CreatedAt: expect.stringMatching(/^20/) as string,
        UpdatedAt: expect.stringMatching(/^20/) as string,
        Spec: {
          Name: 'key',
          Labels: { a: 'b' },
          ...(kind === 'config' ? { Data: base64('hidden') } : {}),
          Templating: { Name: 'golang' },
        },
      });
    }
  });

  it('are listed by filters; ids and names are alternatives', async () => {
    await using api = await startControlApi();
    const id = await create(api, kind);
    await create(api, kind, { ...SPEC, Name: 'lock', Labels: null });
    await create(api, kind, { ...SPEC, Name: 'other.pem' });
    const names = async (filters: object): Promise<string[]> => {
      const query = encodeURIComponent(JSON.stringify(filters));
      const { value } = await api.call('GET', `/${kind}s?filters=${query}`);
      return (value as { Spec: { Name: string } }[]).map(({ Spec }) => Spec.Name);
    };
    expect(await names({})).toEqual(['key', 'lock', 'other.pem']);
    expect(await names({ name: ['k'] })).toEqual(['key']);
    expect(await names({ name: ['lo'], id: [id] })).toEqual(['key', 'lock']);
    expect(await names({ label: ['a=b'] })).toEqual(['key', 'other.pem']);
    expect(await names({ name: ['lo'], label: ['a'] })).toEqual([]);
    const bad = await api.call('GET', `/${kind}s?filters=%7B%22x%22%3A%5B%22y%22%5D%7D`);
    expect([bad.status, bad.message]).toEqual([400, "invalid filter 'x'"]);
  });

  it('change their labels, and nothing else', async () => {
    await using api = await startControlApi();
    const id = await create(api, kind);
    const version = api.store.view.get(kind, id)?.meta.version ?? 0;
    const update = async (spec: object, query = `version=${version}`): Promise<unknown[]> => {
      const { status, message } = await api.call('POST', `/${kind}s/key/update?${query}`, spec);
      return [status, message];
    };
    const only = [400, `${REFUSED}only updates to Labels are allowed`];
    expect(await update({ Name: 'lock' })).toEqual(only);
    expect(await update({ Name: 'key', Data: base64('other') })).toEqual(only);
    expect(await update({ Name: 'key', Data: '' })).toEqual(only);
    expect(await update({ Name: 'key' }, 'version=0')).toEqual([
      500,
      'rpc error: code = Unknown desc = update out of sequence',
    ]);
    expect(await update({ Name: 'key' }, 'version=x')).toEqual([400, `invalid ${kind} version`]);
    expect(await update({ Name: 'key', Labels: { c: 'd' }, Data: base64('hidden') })).toEqual([200, '']);
    const spec = api.store.view.get(kind, id)?.spec;
    expect(spec?.annotations).toEqual({ name: 'key', labels: { c: 'd' } });
    expect(Buffer.from(spec?.data ?? []).toString()).toBe('hidden');
  });

  it('go when no service uses them', async () => {
    await using api = await startControlApi();
    const id = await create(api, kind);
    await use(api, kind, id, 'web');
    const remove = async (): Promise<unknown[]> => {
      const { status, message } = await api.call('DELETE', `/${kind}s/key`);
      return [status, message];
    };
    expect(await remove()).toEqual([400, `${REFUSED}${kind} 'key' is in use by the following service: web`]);
    await use(api, kind, id, 'api');
    expect(await remove()).toEqual([
      400,
      `${REFUSED}${kind} 'key' is in use by the following services: web, api`,
    ]);
    await api.call('DELETE', '/services/web');
    await api.call('DELETE', '/services/api');
    expect(await remove()).toEqual([204, '']);
    expect(await remove()).toEqual([404, `${kind} key not found`]);
  });

  const NAME_RULE =
    'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]';
  const limit = kind === 'secret' ? 512_000 : 1_024_000;
  const SIZE_RULE = `${kind} data must be larger than 0 and less than ${limit} bytes`;
  it.each([
    [undefined, `${REFUSED}name must be provided`],
    [{ Data: base64('x') }, `${REFUSED}name must be provided`],
    [{ Name: '.x', Data: base64('x') }, `${REFUSED}${NAME_RULE}`],
    [{ Name: 'x'.repeat(65), Data: base64('x') }, `${REFUSED}${NAME_RULE}`],
    [{ Name: 'x' }, `${REFUSED}${SIZE_RULE}`],
    [{ Name: 'x', Data: '' }, `${REFUSED}${SIZE_RULE}`],
    [{ Name: 'x', Data: base64('x'.repeat(limit)) }, `${REFUSED}${SIZE_RULE}`],
    [{ Name: 'x', Data: '!!!!' }, 'invalid JSON: illegal base64 data at input byte 0'],
    [{ Name: 'x', Data: 'aGk' }, 'invalid JSON: illegal base64 data at input byte 0'],
    [
      { Name: 5 },
      `invalid JSON: json: cannot unmarshal number into Go struct field ${kind === 'secret' ? 'Secret' : 'Config'}Spec.Name of type string`,
    ],
  ])('refuse %j', async (spec, words) => {
    await using api = await startControlApi();
    const answer = await api.call('POST', `/${kind}s/create`, spec);
    expect([answer.status, answer.message]).toEqual([400, words]);
  });

  it('take data up to their limit', async () => {
    await using api = await startControlApi();
    const id = await create(api, kind, { Name: 'x', Data: base64('x'.repeat(limit - 1)) });
    expect(api.store.view.get(kind, id)?.spec.data.length).toBe(limit - 1);
  });

  it('have names of their own', async () => {
    await using api = await startControlApi();
    await create(api, kind);
    const answer = await api.call('POST', `/${kind}s/create`, SPEC);
    expect([answer.status, answer.message]).toEqual([
      409,
      `rpc error: code = AlreadyExists desc = ${kind} key already exists`,
    ]);
  });

  it('have no templates for clients that can’t know them', async () => {
    await using api = await startControlApi();
    const spec = { ...SPEC, Templating: { Name: 'golang' } };
    const answer = await api.call('POST', `/${kind}s/create`, spec, { minor: 36 });
    expect([answer.status, answer.message]).toEqual([
      400,
      `${kind} templating is not supported on the specified API version: 1.36`,
    ]);
  });
});

describe('secrets of a driver', () => {
  it('are refused', async () => {
    await using api = await startControlApi();
    const named = await api.call('POST', '/secrets/create', { Name: 'x', Driver: { Name: 'vault' } });
    expect([named.status, named.message]).toEqual([
      501,
      'secret driver "vault": drivers of secrets are not supported',
    ]);
    const bare = await api.call('POST', '/secrets/create', { Name: 'x', Driver: {} });
    expect([bare.status, bare.message]).toEqual([400, `${REFUSED}secret driver must have a name`]);
  });
});
