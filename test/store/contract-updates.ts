import { describe, expect, it } from 'vitest';
import type { StoreEvent, Tx } from '../../src/store/index.ts';
import { config, contents, service, task } from './objects.ts';
import { failing, storeAt, type Place } from './place.ts';

export function updates(place: () => Place): void {
  describe('an update', () => {
    it('writes all or nothing, and hands back what it returns', async () => {
      const store = await storeAt(place());
      const made = await store.update((tx) => {
        const one = tx.create('service', service('a'));
        tx.create('config', config('c'));
        return one;
      });
      expect(store.view.get('service', made.id)).toBe(made);
      const before = contents(store.view);
      const failure = store.update((tx) => {
        tx.create('service', service('b'));
        tx.remove('config', 'config-c');
        throw new Error('thought better of it');
      });
      await expect(failure).rejects.toThrow('thought better of it');
      expect(contents(store.view)).toEqual(before);
      expect(store.view.revision).toBe(1);
    });

    it('sees its own writes, in every way of reading', async () => {
      const store = await storeAt(place());
      const [old] = await store.update((tx) => [tx.create('service', service('old'))]);
      await store.update((tx) => {
        const made = tx.create('service', {
          ...service('new'),
          spec: { ...service('new').spec, task: { ...service('x').spec.task, networks: [network('net')] } },
        });
        tx.create('task', { ...task(made, 1), nodeId: 'n1' });
        tx.remove('service', old.id);
        expect(tx.get('service', old.id)).toBeUndefined();
        expect(tx.byName('service', 'old')).toBeUndefined();
        expect(tx.byName('service', 'new')?.id).toBe(made.id);
        expect(tx.count('service')).toBe(1);
        expect([...tx.all('service')].map(({ id }) => id)).toEqual([made.id]);
        expect([...tx.tasksOfService(made.id)]).toHaveLength(1);
        expect([...tx.tasksOfNode('n1')]).toHaveLength(1);
        expect([...tx.servicesUsing('network', 'net')].map(({ id }) => id)).toEqual([made.id]);
        expect(store.view.get('service', made.id)).toBeUndefined();
      });
      expect([...store.view.tasksOfNode('n1')]).toHaveLength(1);
      expect([...store.view.servicesUsing('network', 'net')]).toHaveLength(1);
    });

    it('walks over what was there, each once and as it is then, while it writes', async () => {
      const store = await storeAt(place());
      const ids = await store.update((tx) =>
        ['a', 'b', 'c'].map((name) => tx.create('service', service(name)).id),
      );
      const seen = await store.update((tx) => {
        const names: string[] = [];
        const one = tx.get('service', ids[1] ?? '');
        if (one) tx.update('service', renamed(one, 'b2'));
        for (const each of tx.all('service')) {
          names.push(each.spec.annotations.name);
          tx.update('service', renamed(each, `${each.spec.annotations.name}+`));
          if (names.length === 1) {
            tx.remove('service', ids[2] ?? '');
            tx.create('service', service('late'));
          }
        }
        return names;
      });
      expect(seen).toEqual(['a', 'b2']);
      expect([...store.view.all('service')].map((one) => one.spec.annotations.name).sort()).toEqual([
        'a+',
        'b2+',
        'late',
      ]);
    });

    it('sets meta: the version of its commit, and when', async () => {
      let nowMs = 5;
      const store = await storeAt(place(), { nowMs: () => nowMs });
      const made = await store.update((tx) =>
        tx.create('service', { ...service('a'), specVersion: tx.nextVersion }),
      );
      expect(made.meta).toEqual({ version: 1, createdAtMs: 5, updatedAtMs: 5 });
      expect(made.specVersion).toBe(1);
      nowMs = 9;
      const changed = await store.update((tx) =>
        tx.update('service', { ...made, meta: { ...made.meta, createdAtMs: 77 } }),
      );
      expect(changed.meta).toEqual({ version: 2, createdAtMs: 5, updatedAtMs: 9 });
      expect(store.view.revision).toBe(2);
    });

    it('refuses an id that is there, a change of what is not, and tells a removal of nothing', async () => {
      const store = await storeAt(place());
      const made = await store.update((tx) => tx.create('service', service('a')));
      await expect(
        store.update((tx) => tx.create('service', { ...service('b'), id: made.id })),
      ).rejects.toMatchObject({
        code: 'conflict',
      });
      await expect(
        store.update((tx) => tx.update('service', { ...made, id: 'other' })),
      ).rejects.toMatchObject({
        code: 'not-found',
      });
      expect(await store.update((tx) => tx.remove('service', 'other'))).toBe(false);
      expect(store.view.revision).toBe(1);
    });

    it('cannot be written through after its end', async () => {
      const store = await storeAt(place());
      let kept: Tx | undefined;
      await store.update((tx) => void (kept = tx));
      expect(() => kept?.create('service', service('late'))).toThrow('after its end');
    });

    it('refuses an object that it could not find again, and goes on', async () => {
      const store = await storeAt(place());
      const broken = store.update((tx) => {
        const { spec, ...rest } = service('a');
        tx.create('service', { ...rest, spec: { ...spec, task: undefined as never } });
      });
      await expect(broken).rejects.toThrow();
      const endless: Record<string, unknown> = {};
      endless['self'] = endless;
      const circular = store.update((tx) => tx.create('config', { ...config('c'), ...endless }));
      await expect(circular).rejects.toThrow('circular');
      await store.update((tx) => tx.create('service', service('a')));
      expect(store.view.revision).toBe(1);
    });

    it('keeps names unique, within a kind, and lets them be exchanged', async () => {
      const store = await storeAt(place());
      const [a, b] = await store.update((tx) => [
        tx.create('service', service('a')),
        tx.create('service', service('b')),
        tx.create('config', config('a')),
      ]);
      await expect(store.update((tx) => tx.create('service', service('a')))).rejects.toMatchObject({
        code: 'conflict',
      });
      await expect(store.update((tx) => tx.update('service', renamed(a, 'b')))).rejects.toMatchObject({
        code: 'conflict',
      });
      await store.update((tx) => {
        tx.update('service', renamed(a, 'between'));
        tx.update('service', renamed(b, 'a'));
        tx.update('service', renamed(a, 'b'));
      });
      expect([store.view.byName('service', 'a')?.id, store.view.byName('service', 'b')?.id]).toEqual([
        b.id,
        a.id,
      ]);
      expect(store.view.byName('service', 'between')).toBeUndefined();
      await store.update((tx) => {
        tx.remove('service', a.id);
        tx.create('service', { ...service('b'), id: 'again' });
      });
      expect(store.view.byName('service', 'b')?.id).toBe('again');
    });

    it('shares a commit with its neighbours, and they stand when it fails', async () => {
      const store = await storeAt(place());
      const results = await Promise.allSettled([
        store.update((tx) => tx.create('service', service('first'))),
        store.update((tx) => {
          tx.create('service', service('second'));
          tx.remove('service', tx.byName('service', 'first')?.id ?? '');
          throw new Error('no');
        }),
        store.update((tx) => tx.create('service', service('first'))),
        store.update((tx) => tx.create('service', service('second'))),
        store.update((tx) => tx.byName('service', 'first')?.id),
      ]);
      expect(results.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'rejected',
        'fulfilled',
        'fulfilled',
      ]);
      expect([...store.view.all('service')].map((one) => one.spec.annotations.name)).toEqual([
        'first',
        'second',
      ]);
      expect(store.view.revision).toBe(1);
    });

    it('rejects with unavailable when it could not be kept, changes nothing, and works again', async () => {
      const trouble = failing(place());
      const store = await storeAt(trouble);
      await store.update((tx) => tx.create('service', service('before')));
      const before = contents(store.view);
      const events: (readonly StoreEvent[])[] = [];
      store.watch((some) => events.push(some));
      trouble.fail = true;
      const results = await Promise.allSettled([
        store.update((tx) => tx.create('service', service('a'))),
        store.batch([1, 2], (tx, number) => void tx.create('service', service(`of-batch-${number}`))),
      ]);
      for (const result of results)
        expect(result).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
      expect(contents(store.view)).toEqual(before);
      expect([events, store.view.revision]).toEqual([[], 1]);
      trouble.fail = false;
      await store.update((tx) => tx.create('service', service('a')));
      expect(store.view.revision).toBe(2);
    });
  });

  describe('events', () => {
    it('come after the commit, in order, and say what was before', async () => {
      const store = await storeAt(place());
      const seen: unknown[] = [];
      const end = store.watch((events) => {
        for (const { kind, type, object, previous } of events) {
          const was = previous as { spec: { annotations: { name: string } } } | undefined;
          const there = store.view.get(kind, object.id) !== undefined;
          seen.push([store.view.revision, kind, type, there, was?.spec.annotations.name]);
        }
      });
      const made = await store.update((tx) => {
        const one = tx.create('service', service('a'));
        tx.create('config', config('c'));
        const brief = tx.create('service', service('brief'));
        tx.remove('service', brief.id);
        return one;
      });
      await store.update((tx) => tx.update('service', renamed(made, 'b')));
      await store.update((tx) => tx.remove('service', made.id));
      expect(seen).toEqual([
        [1, 'service', 'create', true, undefined],
        [1, 'config', 'create', true, undefined],
        [2, 'service', 'update', true, 'a'],
        [3, 'service', 'remove', false, undefined],
      ]);
      end();
      await store.update((tx) => tx.create('service', service('unseen')));
      expect(seen).toHaveLength(4);
    });

    it('that cannot even be told as a fault end the writing, and leave nobody waiting', async () => {
      const onFault = (): void => {
        throw new Error('the last straw');
      };
      const store = await storeAt(place(), { onFault });
      store.watch(onFault);
      const writes = ['a', 'b'].map((name) => store.update((tx) => tx.create('service', service(name))));
      const batch = store.batch(
        [1, 2, 3],
        (tx, number) => void tx.create('config', config(String(number), 800_000)),
      );
      for (const result of await Promise.allSettled([...writes, batch]))
        expect(result.status).toBe('rejected');
      await expect(store.update(() => undefined)).rejects.toMatchObject({ code: 'unavailable' });
    });

    it('reach the others when one listener throws', async () => {
      const faults: unknown[] = [];
      const store = await storeAt(place(), { onFault: (error) => faults.push(error) });
      let seen = 0;
      store.watch(() => {
        throw new Error('a fault');
      });
      store.watch((events) => (seen += events.length));
      await store.update((tx) => tx.create('service', service('a')));
      expect([seen, String(faults[0])]).toEqual([1, 'Error: a fault']);
    });
  });
}

function renamed<T extends { spec: { annotations: { name: string } } }>(object: T, name: string): T {
  return { ...object, spec: { ...object.spec, annotations: { ...object.spec.annotations, name } } };
}

function network(target: string): {
  target: string;
  aliases: string[];
  driverOptions: Record<string, string>;
  addresses: string[];
} {
  return { target, aliases: [], driverOptions: {}, addresses: [] };
}
