import { describe, expect, it } from 'vitest';
import { config, service, serviceWithTasks, withLabels } from './objects.ts';
import { failing, storeAt, type Place } from './place.ts';

const some = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

export function batches(place: () => Place): void {
  describe('a batch', () => {
    it('does every item, many in a commit', async () => {
      const store = await storeAt(place());
      await store.batch(some(1_050), (tx, index) => void tx.create('config', config(String(index))));
      expect(store.view.count('config')).toBe(1_050);
      expect(store.view.revision).toBe(11);
      await store.batch([], () => expect.unreachable());
    });

    it('lets items see those before, and write several rows or none', async () => {
      const store = await storeAt(place());
      await store.batch(some(130), (tx, index) => {
        expect(tx.count('config')).toBe(Math.ceil(index / 2) * 2);
        if (index % 2 === 1) return;
        tx.create('config', config(`${index}-a`));
        tx.create('config', config(`${index}-b`));
      });
      expect(store.view.count('config')).toBe(130);
    });

    it('stops at the first that fails: what is before it stands, what is behind it is not tried', async () => {
      const store = await storeAt(place());
      const tried: number[] = [];
      const batch = store.batch(some(300), (tx, index) => {
        tried.push(index);
        tx.create('config', config(String(index)));
        if (index === 150) throw new Error('item 150');
      });
      await expect(batch).rejects.toThrow('item 150');
      expect(store.view.count('config')).toBe(150);
      expect(store.view.get('config', 'config-150')).toBeUndefined();
      expect(Math.max(...tried)).toBe(150);
    });

    it('refuses an item that is too large, and keeps those before', async () => {
      const store = await storeAt(place());
      const batch = store.batch(
        [10, 2_000_000, 10],
        (tx, bytes) => void tx.create('config', config(String(bytes), bytes)),
      );
      await expect(batch).rejects.toMatchObject({ code: 'too-large' });
      expect(store.view.count('config')).toBe(1);
    });

    it('lets its source end, and rejects when that fails', async () => {
      const store = await storeAt(place());
      let ended = 0;
      function* items(failAt: number): Iterable<number> {
        try {
          for (let index = 0; index < 1_000; index++) {
            if (index === failAt) throw new Error('the source');
            yield index;
          }
        } finally {
          ended++;
        }
      }
      const refusing = store.batch(items(Infinity), (tx, index) => {
        if (index === 5) throw new Error('the item');
        tx.create('config', config(`first-${index}`));
      });
      await expect(refusing).rejects.toThrow('the item');
      const broken = store.batch(
        items(7),
        (tx, index) => void tx.create('config', config(`second-${index}`)),
      );
      await expect(broken).rejects.toThrow('the source');
      expect([ended, store.view.count('config')]).toEqual([2, 12]);
    });

    it('lets others come between', async () => {
      const store = await storeAt(place());
      let done = 0;
      const batch = store.batch(some(5_000), (tx, index) => {
        tx.create('config', config(String(index)));
        done = index;
      });
      const between = store.update((tx) => tx.create('service', service('between'))).then(() => done);
      const second = store
        .batch(some(50), (tx, index) => void tx.create('config', config(`second-${index}`)))
        .then(() => done);
      expect(await between).toBeLessThan(1_000);
      expect(await second).toBeLessThan(1_000);
      await batch;
      expect(store.view.count('config')).toBe(5_050);
    });

    it('stops when a commit fails; what was committed before stands', async () => {
      const trouble = failing(place());
      const store = await storeAt(trouble);
      const batch = store.batch(some(500), (tx, index) => {
        tx.create('config', config(String(index)));
        if (index === 250) trouble.fail = true;
      });
      await expect(batch).rejects.toMatchObject({ code: 'unavailable' });
      expect(store.view.count('config')).toBe(200);
      trouble.fail = false;
      await store.batch(some(500), (tx, index) => {
        if (!tx.get('config', `config-${index}`)) tx.create('config', config(String(index)));
      });
      expect(store.view.count('config')).toBe(500);
    });

    it('changes a service of many tasks, over and over', async () => {
      const store = await storeAt(place());
      const [made, tasks] = await serviceWithTasks(store, 'large', 2_000);
      await store.batch(tasks, (tx, { id }) => {
        const one = tx.get('task', id);
        if (one) tx.update('task', { ...one, desiredState: 'shutdown' });
      });
      expect([...store.view.tasksOfService(made.id)].every((one) => one.desiredState === 'shutdown')).toBe(
        true,
      );
      const one = await store.update((tx) => tx.create('config', config('c')));
      await store.batch(
        some(150),
        (tx, index) => void tx.update('config', withLabels(one, { turn: String(index) })),
      );
      expect(store.view.get('config', one.id)?.spec.annotations.labels).toEqual({ turn: '149' });
    });
  });
}
