import { describe, expect, it } from 'vitest';
import { storeContract } from './contract.ts';
import { config, serviceWithTasks } from './objects.ts';
import { KeptRows, storeAt } from './place.ts';

describe('a store over rows that are kept at once', () => storeContract(() => new KeptRows(false)));

describe('a store over rows that are kept later', () => {
  storeContract(() => new KeptRows(true));

  it('commits together what came while it was writing', async () => {
    const store = await storeAt(new KeptRows(true));
    const first = store.update((tx) => tx.create('config', config('first')));
    await Promise.resolve();
    await Promise.resolve();
    const others = ['a', 'b', 'c'].map((name) => store.update((tx) => tx.create('config', config(name))));
    await Promise.all([first, ...others]);
    expect(store.view.revision).toBe(2);
  });
});

describe('rows', () => {
  it('of specs that no task has any more go with a later commit', async () => {
    const where = new KeptRows(false);
    const store = await storeAt(where);
    const specs = (): string[] => [...where.rows.keys()].filter((key) => key.startsWith('task-spec/'));
    const [, tasks] = await serviceWithTasks(store, 'a', 20);
    expect(specs()).toHaveLength(1);
    await store.batch(tasks, (tx, { id }) => void tx.remove('task', id));
    expect(specs()).toHaveLength(1);
    await store.update((tx) => tx.create('config', config('c')));
    expect(specs()).toHaveLength(0);
  });

  it('of such specs that were left behind go when the state is opened again', async () => {
    const where = new KeptRows(false);
    where.rows.set('task-spec/gone.7', { table: 'task-spec', id: 'gone.7', json: '{}' });
    const store = await storeAt(where);
    await store.update((tx) => tx.create('config', config('c')));
    expect([...where.rows.keys()]).toEqual(['config/config-c']);
  });

  it('of tasks do not hold the spec', async () => {
    const where = new KeptRows(false);
    const [, tasks] = await serviceWithTasks(await storeAt(where), 'a', 1);
    expect(where.rows.get(`task/${tasks[0]?.id}`)?.json).not.toContain('httpd');
  });

  it.each([
    ['{', 'the row config/x is damaged'],
    ['null', 'the row config/x is damaged'],
    ['{"id":"y"}', 'the row config/x holds another'],
  ])('that are damaged keep a state from being opened: %s', async (json, message) => {
    const where = new KeptRows(false);
    where.rows.set('config/x', { table: 'config', id: 'x', json });
    await expect(storeAt(where)).rejects.toMatchObject({
      code: 'unavailable',
      message: `cannot read the state: ${message}`,
    });
  });

  it('of tasks whose spec is not there keep it from being opened', async () => {
    const where = new KeptRows(false);
    where.rows.set('task/t', { table: 'task', id: 't', json: '{"id":"t","serviceId":"s","specVersion":1}' });
    await expect(storeAt(where)).rejects.toThrow('task t names a spec that is not there');
  });
});
