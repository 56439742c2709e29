import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/store/index.ts';
import { clusterFixture, nodeFixture } from '../simulation/index.ts';
import { config, contents, service, serviceWithTasks, withLabels } from './objects.ts';
import { storeAt, type Place } from './place.ts';

/** A label's name that must stay a name. */
const PROTO = '__proto__';

export function lasting(place: () => Place): void {
  describe('what is kept', () => {
    it('is the same when it is opened again, and goes on from there', async () => {
      const where = place();
      const store = await storeAt(where);
      await fill(store);
      const [before, revision] = [contents(store.view), store.view.revision];
      await store.close();
      const again = await storeAt(where);
      expect(contents(again.view)).toEqual(before);
      expect(again.view.revision).toBe(revision);
      expect(again.view.byName('config', 'c')?.spec.data).toEqual(config('c', 3_000).spec.data);
      expect(Object.hasOwn(again.view.byName('config', 'c')?.spec.annotations.labels ?? {}, PROTO)).toBe(
        true,
      );
      const next = await again.update((tx) => tx.create('config', config('next')));
      expect(next.meta.version).toBe(revision + 1);
      await again.close();
      expect((await storeAt(where)).view.revision).toBe(revision + 1);
    });

    it('holds a spec that tasks share once, before and after', async () => {
      const where = place();
      const store = await storeAt(where);
      const [made] = await serviceWithTasks(store, 'a', 10);
      await store.close();
      const again = await storeAt(where);
      const specs = (): Set<unknown> => new Set([...again.view.all('task')].map(({ spec }) => spec));
      expect(specs().size).toBe(1);
      expect(specs()).toContain(again.view.get('service', made.id)?.spec.task);
    });

    it('keeps what a spec is to tasks while others come, change and go', async () => {
      const where = place();
      let store = await storeAt(where);
      const [made, tasks] = await serviceWithTasks(store, 'a', 3);
      // One more says the same version and means another spec.
      await store.update((tx) => {
        const first = tasks[0] ?? expect.fail();
        tx.create('task', { ...first, id: 'other', spec: { ...made.spec.task, forceUpdate: 9 } });
      });
      for (const { id } of tasks) await store.update((tx) => tx.remove('task', id));
      const other = store.view.get('task', 'other') ?? expect.fail();
      await store.update((tx) => tx.update('task', { ...other, slot: 8 }));
      await store.update((tx) => tx.create('task', { ...other, id: 'third' }));
      await store.update((tx) => tx.remove('task', 'third'));
      await store.update((tx) => tx.create('config', config('takes-the-litter')));
      const before = contents(store.view);
      await store.close();
      store = await storeAt(where);
      expect(contents(store.view)).toEqual(before);
    });

    it('is what was under way when it was closed, and nothing later', async () => {
      const where = place();
      const store = await storeAt(where);
      const underWay = store.batch(['a', 'b'], (tx, name) => void tx.create('service', service(name)));
      await store.close();
      await underWay;
      await expect(store.update(() => undefined)).rejects.toMatchObject({ code: 'unavailable' });
      await expect(store.batch(['c'], () => undefined)).rejects.toMatchObject({ code: 'unavailable' });
      await store.close();
      const again = await storeAt(where);
      expect(again.view.count('service')).toBe(2);
    });

    it('can be read after its close, and tells nobody anything any more', async () => {
      const store = await storeAt(place());
      await store.update((tx) => tx.create('config', config('c')));
      await store.close();
      let told = 0;
      const end = store.watch(() => told++);
      expect(store.view.count('config')).toBe(1);
      end();
      expect(told).toBe(0);
    });
  });
}

/** Something of every kind, with what is hard to write. */
async function fill(store: Store): Promise<void> {
  await store.update((tx) => tx.create('cluster', clusterFixture({ heartbeatPeriodNs: 1.5e9 })));
  const labels = Object.fromEntries([
    [PROTO, 'a label'],
    ['', 'no name'],
    ['text', 'ü€😀\u0000\ud800\n"\\'],
  ]);
  await store.update((tx) => {
    tx.create('node', nodeFixture({ labels, resources: { memoryBytes: 2 ** 53 - 1 } }));
    tx.create('secret', {
      id: 'secret-s',
      spec: { annotations: { name: 's', labels }, data: new Uint8Array([0, 255, 1]) },
    });
    tx.create('secret', {
      id: 'secret-empty',
      spec: { annotations: { name: 'e', labels: {} }, data: new Uint8Array() },
    });
    tx.create(
      'config',
      withLabels({ ...config('c', 3_000), meta: { version: 0, createdAtMs: 0, updatedAtMs: 0 } }, labels),
    );
    tx.create('network', {
      id: 'net',
      spec: {
        annotations: { name: 'net', labels: {} },
        ipv6: false,
        internal: false,
        attachable: true,
        ingress: false,
        configOnly: false,
        nodeLocal: false,
      },
    });
  });
  const [, tasks] = await serviceWithTasks(store, 'a', 250);
  await serviceWithTasks(store, 'b', 3);
  await store.batch(tasks.slice(0, 100), (tx, { id }) => void tx.remove('task', id));
  await store.batch(tasks.slice(100, 110), (tx, one) => {
    tx.update('task', {
      ...one,
      nodeId: 'n',
      status: { ...one.status, state: 'running', timestampMs: 1704067200123.456 },
    });
  });
}
