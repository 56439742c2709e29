import { describe, expect, it } from 'vitest';
import { UPDATE_MAX_BYTES, UPDATE_MAX_ROWS } from '../../src/store/index.ts';
import { config, service, task, withLabels } from './objects.ts';
import { storeAt, type Place } from './place.ts';

const some = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

export function limits(place: () => Place): void {
  describe('limits', () => {
    it('takes 100 rows and refuses 101, writing nothing', async () => {
      const store = await storeAt(place());
      const write = (count: number): Promise<void> =>
        store.update((tx) => {
          for (const index of some(count)) tx.create('config', config(`${count}-${index}`));
        });
      await write(UPDATE_MAX_ROWS);
      await expect(write(UPDATE_MAX_ROWS + 1)).rejects.toMatchObject({ code: 'too-large' });
      expect([store.view.count('config'), store.view.revision]).toEqual([100, 1]);
    });

    it('counts an object once, however often it is written', async () => {
      const store = await storeAt(place());
      const made = await store.update((tx) => tx.create('config', config('c')));
      await store.update((tx) => {
        for (const index of some(300)) tx.update('config', withLabels(made, { turn: String(index) }));
      });
      expect(store.view.get('config', made.id)?.spec.annotations.labels).toEqual({ turn: '299' });
    });

    it('takes the largest config there is, and refuses 1 MiB, writing nothing', async () => {
      const store = await storeAt(place());
      await store.update((tx) => tx.create('config', config('largest', 1_024_000)));
      const beyond = store.update((tx) => {
        tx.create('config', config('small'));
        tx.create('config', config('beyond', UPDATE_MAX_BYTES));
      });
      await expect(beyond).rejects.toMatchObject({ code: 'too-large' });
      expect(store.view.count('config')).toBe(1);
    });

    it('counts what is written again in the same commit once', async () => {
      const store = await storeAt(place());
      const made = await store.update((tx) => tx.create('config', config('c', 300_000)));
      await store.batch(some(20), (tx, turn) => {
        tx.update('config', withLabels(made, { turn: String(turn) }));
      });
      expect(store.view.revision).toBe(2);
    });

    it('counts bytes, not characters', async () => {
      const store = await storeAt(place());
      const text = '€'.repeat(UPDATE_MAX_BYTES / 3);
      const wide = store.update((tx) => {
        tx.create('service', {
          ...service('wide'),
          spec: { ...service('wide').spec, annotations: { name: 'wide', labels: { text } } },
        });
      });
      await expect(wide).rejects.toMatchObject({ code: 'too-large' });
    });

    it('commits apart what does not fit together', async () => {
      const store = await storeAt(place());
      await Promise.all([
        ...some(4).map((index) =>
          store.update((tx) => tx.create('config', config(`large-${index}`, 600_000))),
        ),
        ...some(250).map((index) => store.update((tx) => tx.create('config', config(`small-${index}`)))),
      ]);
      expect(store.view.count('config')).toBe(254);
      expect(store.view.revision).toBeGreaterThanOrEqual(4);
      expect(store.view.revision).toBeLessThan(20);
    });

    it('takes 100 tasks of a new service at once, or of 100 services', async () => {
      const store = await storeAt(place());
      const made = await store.update((tx) => tx.create('service', service('a')));
      await store.update((tx) => {
        for (const index of some(100)) tx.create('task', task(made, index + 1));
      });
      const many = await store.update((tx) =>
        some(100).map((index) => tx.create('service', service(`many-${index}`))),
      );
      await store.update((tx) => {
        for (const one of many) tx.create('task', task(one, 1));
      });
      expect(store.view.count('task')).toBe(200);
    });

    it('counts a spec that tasks share once', async () => {
      const store = await storeAt(place());
      const made = await store.update((tx) => {
        const { spec, ...rest } = service('a');
        const container = spec.task.container && { ...spec.task.container, env: ['x'.repeat(100_000)] };
        return tx.create('service', { ...rest, spec: { ...spec, task: { ...spec.task, container } } });
      });
      await store.update((tx) => {
        for (const index of some(100)) tx.create('task', task(made, index + 1));
      });
      await store.batch(some(100), (tx, index) => void tx.create('task', task(made, 101 + index)));
      expect([...store.view.tasksOfService(made.id)]).toHaveLength(200);
    });
  });
}
