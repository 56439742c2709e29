import { describe, expect, it } from 'vitest';
import type { Network, Task } from '../../model/index.ts';
import { BRIDGE, HOST, MINE, engineWith, DOWN, api, overlay, serviceOn, TASK } from './testing.ts';

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
