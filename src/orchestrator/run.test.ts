import { afterEach, describe, expect, it } from 'vitest';
import {
  FakeTimes,
  fakeContext,
  serviceFixture,
  SimulatedCluster,
  type Loop,
} from '../../test/simulation/index.ts';
import { seeded, type Seeded } from '../../test/seeded.ts';
import { SwarmError } from '../base/errors.ts';
import { stateRank, type Service, type ServiceSpec, type Task, type UpdateConfig } from '../model/index.ts';
import { memoryBackend, openStore, type Store } from '../store/index.ts';
import { runOrchestrator } from './run.ts';

const orchestrator: Loop = (context, signal) => runOrchestrator(context, signal, { random: () => 0 });
let cluster: SimulatedCluster;
afterEach(async () => cluster.stop());

/**
 * Starts the orchestrator on a store that takes a few more writes from it and then no more, and returns what ends it: as a process
 * that is killed between any two of its writes.
 */
function startMortal(random: Seeded): () => Promise<void> {
  const { store, times } = cluster;
  let left = Infinity;
  const update: Store['update'] = (change) =>
    left-- > 0 ? store.update(change) : Promise.reject(new SwarmError('unavailable', 'killed'));
  const mortal: Store = {
    view: store.view,
    update,
    batch: () => Promise.reject(new Error('not used')),
    lock: store.lock,
    watch: (listener) => store.watch(listener),
    caughtUp: () => Promise.resolve(true),
    layout: 1,
    close: () => Promise.resolve(),
  };
  const end = new AbortController();
  const running = runOrchestrator(fakeContext(mortal, times), end.signal, { random: () => 0 });
  return async () => {
    left = random.whole(0, 4);
    for (let step = 0; step < 10 && left > 0; step++) await cluster.advance(random.pick([10, 100, 1000]));
    end.abort();
    await running;
  };
}

function wanted(id: string): Map<number | string, Task[]> {
  const places = new Map<number | string, Task[]>();
  for (const task of cluster.tasks(id)) {
    if (stateRank(task.desiredState) > stateRank('running')) continue;
    const place = task.slot || task.nodeId;
    places.set(place, [...(places.get(place) ?? []), task]);
  }
  return places;
}

/** What must hold at any moment, with a manager or without. */
function check(ids: readonly string[]): void {
  for (const id of ids) {
    const service = cluster.store.view.get('service', id);
    if (!service) continue;
    const { mode } = service.spec;
    const most = service.spec.update?.order === 'start-first' ? 2 : 1;
    for (const [place, tasks] of wanted(id)) {
      const orders = tasks.length <= most;
      if (!orders) throw new Error(`place ${place} has ${tasks.length}\n${cluster.shown()}`);
    }
    if (mode.kind === 'replicated' && wanted(id).size > 12) throw new Error('too many slots');
  }
}

function converged(service: Service, nodes: readonly string[]): boolean {
  const { id, spec } = service;
  const running = cluster.running(id);
  const places = new Set(running.map(({ slot, nodeId }) => slot || nodeId));
  const count = spec.mode.kind === 'replicated' ? spec.mode.replicas : nodes.length;
  const same = running.every(
    (task) => JSON.stringify(task.spec.container) === JSON.stringify(spec.task.container),
  );
  return (
    same &&
    running.length === count &&
    places.size === count &&
    [...wanted(id).values()].flat().length === count &&
    running.every(({ nodeId }) => nodes.includes(nodeId))
  );
}

function randomSpec(random: Seeded, spec: ServiceSpec): ServiceSpec {
  const update: UpdateConfig = {
    parallelism: random.whole(0, 2),
    delayNs: random.pick([0, 0, 3e9]),
    failureAction: random.pick(['pause', 'continue', 'rollback']),
    monitorNs: random.pick([0, 1e9, 5e9]),
    maxFailureRatio: random.pick([0, 0.4]),
    // One order for all its life, so that the surge is known.
    order: spec.update?.order ?? 'stop-first',
  };
  const { container } = spec.task;
  return {
    ...spec,
    update,
    rollback: update,
    mode: spec.mode.kind === 'replicated' ? { kind: 'replicated', replicas: random.whole(0, 8) } : spec.mode,
    task: {
      ...spec.task,
      restart: { condition: 'any', delayNs: random.pick([0, 1e9, 5e9]), maxAttempts: 0 },
      ...(container ? { container: { ...container, image: `image-${random.whole(1, 3)}` } } : {}),
    },
  };
}

describe('the orchestrator, whatever happens', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed + 1))('converges (seed %d)', async (seed) => {
    const random = seeded(seed);
    cluster = await SimulatedCluster.start({ nodes: 4 });
    const nodes = ['node-1', 'node-2', 'node-3', 'node-4'];
    let calm = false;
    cluster.behave(() => {
      const fate = calm ? 1 : random.next();
      if (fate < 0.08) return { ends: 'rejected' };
      if (fate < 0.16) return { ends: { afterMs: random.whole(0, 8000), exitCode: random.whole(0, 1) } };
      return { startMs: random.whole(10, 1500), stopMs: random.whole(10, 3000) };
    });
    let stop = startMortal(random);
    const services: Service[] = [];
    for (const order of ['stop-first', 'start-first'] as const) {
      const update: UpdateConfig = {
        parallelism: 1,
        delayNs: 0,
        failureAction: 'pause',
        maxFailureRatio: 0,
        order,
      };
      services.push(await cluster.createService({ replicas: 4, update }));
      services.push(await cluster.createService({ mode: { kind: 'global' }, update }));
    }
    const ids = services.map(({ id }) => id);
    for (let time = 0; time < 40; time++) {
      const fate = random.next();
      const node = random.pick(nodes);
      if (fate < 0.3) await cluster.updateService(random.pick(ids), (spec) => randomSpec(random, spec));
      else if (fate < 0.45) await cluster.down(node);
      else if (fate < 0.55) await cluster.setNode(node, 'ready', 'drain');
      else if (fate < 0.6) await cluster.setNode(node, 'unknown', 'active');
      else if (fate < 0.8) await cluster.setNode(node, 'ready', 'active');
      if (random.next() < 0.3) {
        await stop();
        await cluster.advance(random.pick([0, 50, 3000]));
        stop = startMortal(random);
      }
      for (let step = random.whole(1, 6); step > 0; step--) {
        await cluster.advance(random.pick([0, 10, 100, 1000]));
        check(ids);
      }
    }
    await stop();
    cluster.run(orchestrator);
    calm = true;
    for (const node of nodes) await cluster.setNode(node, 'ready', 'active');
    for (const id of ids) await cluster.updateService(id, (spec) => randomSpec(random, spec));
    // What began before may still fail once, and pause.
    await cluster.advance(60_000);
    for (const id of ids) await cluster.updateService(id, (spec) => structuredClone(spec));
    await cluster.advance(120_000);
    for (const id of ids) {
      if (!converged(cluster.service(id), nodes)) throw new Error(`${id}\n${cluster.shown()}`);
      const state = cluster.service(id).updateStatus?.state ?? 'completed';
      expect(state).toBe('completed');
    }
    const { revision } = cluster.store.view;
    await cluster.advance(600_000);
    expect(cluster.store.view.revision).toBe(revision);
    expect(cluster.context.lines).toEqual([]);
  });

  it('goes on when nothing could be written for a while', async () => {
    cluster = await SimulatedCluster.start({ nodes: 0 });
    const times = new FakeTimes();
    let full = false;
    const backend = {
      ...memoryBackend(),
      commit: () => {
        if (full) throw new Error('no space left on device');
      },
    };
    const store = await openStore(backend, { nowMs: () => times.wallMs(), onFault: () => undefined });
    times.heed(() => store.view.revision);
    const context = fakeContext(store, times);
    const end = new AbortController();
    const service = await store.update((tx) => tx.create('service', serviceFixture({ replicas: 3 })));
    full = true;
    const running = runOrchestrator(context, end.signal, { random: () => 0 });
    await times.advance(20_000);
    expect([...store.view.tasksOfService(service.id)]).toEqual([]);
    expect(context.lines.length).toBeLessThan(8);
    full = false;
    await times.advance(30_000);
    expect([...store.view.tasksOfService(service.id)]).toHaveLength(3);
    end.abort();
    await running;
    expect(times.waiting).toBe(0);
    await store.close();
    await expect(store.update(() => 0)).rejects.toBeInstanceOf(SwarmError);
  });
});
