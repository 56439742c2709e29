import { describe, expect, it } from 'vitest';
import { ingressNetwork } from '../../allocator/index.ts';
import type { Network } from '../../model/index.ts';
import { type ControlApi } from '../testing/control-api.ts';
import { BRIDGE, HOST, MINE, engineWith, DOWN, api, overlay, serviceOn } from './testing.ts';

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
