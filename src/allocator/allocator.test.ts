import { describe, expect, it } from 'vitest';
import { SwarmError } from '../base/errors.ts';
import { runAllocator } from './allocator.ts';
import { AllocatorRun } from './run.ts';
import { allocatorBench, networkRow, rows, serviceRow, taskRow } from './testing.ts';

describe('the loop', () => {
  it('works until its signal fires, over an error of one row', async () => {
    const { store, context } = await allocatorBench();
    const stop = new AbortController();
    const running = runAllocator(context, stop.signal);
    const service = serviceRow('s', ['web']);
    const { promise: pending, resolve } = Promise.withResolvers<void>();
    store.watch(() => store.view.get('task', 't')?.status.state === 'pending' && resolve());
    await store.update((tx) => {
      tx.create('network', networkRow('web'));
      tx.create('service', service);
      tx.create(
        'task',
        taskRow(service, 'bad', { spec: { ...service.spec.task, networks: [null] as never } }),
      );
      tx.create('task', taskRow(service, 't'));
    });
    await pending;
    stop.abort();
    await running;
  });

  it('tries again when the state could not be written', async () => {
    const bench = await allocatorBench();
    const { store, context } = bench;
    let failures = 2;
    const failing: typeof store = {
      ...store,
      view: store.view,
      watch: (listener) => store.watch(listener),
      update: (change) => store.update(change),
      close: () => store.close(),
      batch: (items, change) => {
        if (failures-- > 0) return Promise.reject(new SwarmError('unavailable', 'the disk is full'));
        return store.batch(items, change);
      },
    };
    await store.update((tx) => tx.create('network', networkRow('web')));
    const times = { ...context.times, pause: () => Promise.resolve() };
    const run = new AllocatorRun({ ...context, store: failing, times }, new AbortController().signal);
    run.note('network', 'web');
    await run.settle();
    expect(failures).toBe(-1);
    expect(rows(store).network('web').allocated).toBeDefined();
  });
});
