import { afterEach, describe, expect, it } from 'vitest';
import {
  endsAfter,
  FAILS_AT_ONCE,
  fakeContext,
  HANGS,
  RUNS,
  SimulatedCluster,
  type Loop,
} from '../../../test/simulation/index.ts';
import { SwarmError } from '../../base/errors.ts';
import type { Task } from '../../model/index.ts';
import type { Store } from '../../store/index.ts';
import { runOrchestrator } from '../run.ts';
import { newTask } from '../task.ts';
import { runReaper } from './run-reaper.ts';

const orchestrator: Loop = (context, signal) => runOrchestrator(context, signal, { random: () => 0 });
const reaper: Loop = (context, signal) => runReaper(context, signal);
const loops = [orchestrator, reaper];
const SECOND = 1e9;
const restart = { condition: 'any', delayNs: SECOND, maxAttempts: 0 } as const;
const update = {
  parallelism: 1,
  delayNs: 0,
  failureAction: 'pause',
  maxFailureRatio: 0,
  order: 'stop-first',
} as const;

let cluster: SimulatedCluster;
afterEach(async () => {
  expect(cluster.context.lines).toEqual([]);
  await cluster.stop();
});

const shown = (tasks: readonly Task[]): string[] =>
  tasks.map(({ desiredState, status }) => `${desiredState}/${status.state}`);
const ids = (tasks: readonly Task[]): string[] => tasks.map(({ id }) => id);

async function setLimit(taskHistoryLimit: number): Promise<void> {
  await cluster.store.update((tx) => {
    const now = tx.cluster();
    if (now) tx.update('cluster', { ...now, spec: { ...now.spec, taskHistoryLimit } });
  });
}

/** Updates a service so often, each time once it runs again. */
async function updateTimes(id: string, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    await cluster.updateService(id, (spec) => ({
      ...spec,
      task: { ...spec.task, forceUpdate: spec.task.forceUpdate + 1 },
    }));
    await cluster.advance(20_000);
  }
}

describe('the history of a slot', () => {
  it('has as many tasks as the swarm keeps, what runs included; those that ended first go', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops, cluster: { taskHistoryLimit: 3 } });
    const { id } = await cluster.createService({ replicas: 2 });
    await cluster.advance(1000);
    const seen: string[][] = [];
    for (let time = 0; time < 5; time++) {
      await updateTimes(id, 1);
      seen.push(ids(cluster.running(id)));
    }
    for (const slot of [1, 2]) {
      const there = cluster.tasks(id).filter((task) => task.slot === slot);
      expect(shown(there)).toEqual(['shutdown/shutdown', 'shutdown/shutdown', 'running/running']);
      const last = seen.slice(-3).map((those) => those.find((task) => ids(there).includes(task)));
      expect(ids(there)).toEqual(last);
    }
  });

  it('is kept whole below 0, and cut when the limit is lowered', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops, cluster: { taskHistoryLimit: -1 } });
    const { id } = await cluster.createService();
    await cluster.advance(1000);
    await updateTimes(id, 8);
    expect(cluster.tasks(id)).toHaveLength(9);
    await setLimit(2);
    await cluster.advance(1000);
    expect(shown(cluster.tasks(id))).toEqual(['shutdown/shutdown', 'running/running']);
    await setLimit(0);
    await cluster.advance(1000);
    expect(shown(cluster.tasks(id))).toEqual(['running/running']);
  });

  it('of a global service is that of its node', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops, cluster: { taskHistoryLimit: 2 } });
    const { id } = await cluster.createService({ mode: { kind: 'global' } });
    await cluster.advance(1000);
    await updateTimes(id, 3);
    const nodes = cluster.tasks(id).map(({ nodeId }) => nodeId);
    expect(nodes).toEqual(['node-1', 'node-1', 'node-2', 'node-2']);
  });

  it('keeps what says that a place was given up, whatever the limit', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops, cluster: { taskHistoryLimit: 0 } });
    cluster.behave(endsAfter(100, 0));
    const { id } = await cluster.createService({ task: { restart: { ...restart, condition: 'none' } } });
    await cluster.advance(10_000);
    expect(shown(cluster.tasks(id))).toEqual(['shutdown/complete']);
    await cluster.scale(id, 1);
    await cluster.advance(10_000);
    expect(cluster.tasks(id)).toHaveLength(1);
  });

  it('keeps what restarts are counted by, also after a restart of the manager', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, cluster: { taskHistoryLimit: 1 } });
    let stops = loops.map((loop) => cluster.run(loop));
    cluster.behave(FAILS_AT_ONCE);
    const { id } = await cluster.createService({ task: { restart: { ...restart, maxAttempts: 4 } } });
    // A new manager before each attempt.
    for (let time = 0; time < 20; time++) {
      await cluster.advance(700);
      await Promise.all(stops.map((stop) => stop()));
      stops = loops.map((loop) => cluster.run(loop));
    }
    await cluster.advance(60_000);
    expect(shown(cluster.tasks(id))).toEqual(Array.from({ length: 5 }, () => 'shutdown/failed'));
  });

  it('counts no lost node as an attempt, and keeps no more for it', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops, cluster: { taskHistoryLimit: 2 } });
    cluster.behave(({ replaces }) => (replaces?.delayMs ? RUNS : FAILS_AT_ONCE));
    const { id } = await cluster.createService({ task: { restart: { ...restart, maxAttempts: 2 } } });
    await cluster.advance(5000);
    cluster.behave(RUNS);
    for (let time = 0; time < 6; time++) {
      const [task] = cluster.running(id);
      await cluster.drain(task?.nodeId ?? '');
      await cluster.advance(2000);
      await cluster.ready(task?.nodeId ?? '');
      await cluster.setNode(task?.nodeId ?? '', 'ready', 'active');
    }
    expect(cluster.running(id)).toHaveLength(1);
    expect(cluster.tasks(id)).toHaveLength(3);
    expect(shown(cluster.tasks(id))).toContain('shutdown/failed');
  });

  it('keeps what an update is read off until it is over', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops, cluster: { taskHistoryLimit: 1 } });
    const { id } = await cluster.createService({
      replicas: 2,
      task: { restart: { ...restart, delayNs: 0 } },
      update: { ...update, failureAction: 'continue', monitorNs: 3 * SECOND },
    });
    await cluster.advance(1000);
    cluster.behave(FAILS_AT_ONCE);
    await cluster.updateService(id, (spec) => ({ ...spec, task: { ...spec.task, forceUpdate: 1 } }));
    await cluster.advance(2000);
    expect(cluster.service(id).updateStatus?.state).toBe('updating');
    const slot = cluster.tasks(id).filter((task) => task.slot === 1);
    const made = slot.find(({ replaces }) => replaces?.taskId === slot[0]?.id);
    expect(shown(slot.slice(0, 1))).toEqual(['shutdown/shutdown']);
    expect(made?.status.state).toBe('failed');
    cluster.behave(RUNS);
    await cluster.advance(20_000);
    expect(cluster.service(id).updateStatus?.state).toBe('completed');
    expect(shown(cluster.tasks(id))).toEqual(['running/running', 'running/running']);
  });

  it('of a job ends with its run: what it completed stays, a former run is history', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [reaper], cluster: { taskHistoryLimit: 2 } });
    const { id } = await cluster.createService({
      mode: { kind: 'replicated-job', maxConcurrent: 1, totalCompletions: 1 },
    });
    const add = async (state: 'failed' | 'complete', open = false): Promise<void> => {
      await cluster.advance(1000);
      await cluster.store.update((tx) => {
        const made = newTask(tx.cluster(), cluster.service(id), { slot: 1 }, cluster.times.wallMs());
        const status = { ...made.status, state };
        tx.create('task', { ...made, status, desiredState: open ? 'complete' : 'shutdown' });
      });
      await cluster.advance(1000);
    };
    for (let time = 0; time < 4; time++) await add('failed');
    await add('complete', true);
    expect(shown(cluster.tasks(id))).toEqual(['shutdown/failed', 'complete/complete']);
    await setLimit(0);
    await cluster.advance(1000);
    expect(shown(cluster.tasks(id))).toEqual(['complete/complete']);
    await cluster.updateService(id, (spec) => spec);
    await cluster.advance(1000);
    expect(cluster.tasks(id)).toEqual([]);
  });
});

describe('tasks that are to go', () => {
  it('go when they ended, with their service', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops });
    cluster.behave({ stopMs: 5000 });
    const { id } = await cluster.createService({ replicas: 4 });
    await cluster.advance(1000);
    await cluster.removeService(id);
    await cluster.advance(4000);
    expect(shown(cluster.tasks(id))).toEqual(Array.from({ length: 4 }, () => 'remove/running'));
    await cluster.advance(2000);
    expect(cluster.tasks()).toEqual([]);
  });

  it('go at once where no agent knows them', async () => {
    cluster = await SimulatedCluster.start({ nodes: 0, loops });
    const { id } = await cluster.createService({ replicas: 250 });
    expect(cluster.tasks(id)).toHaveLength(250);
    await cluster.scale(id, 0);
    await cluster.advance(1000);
    expect(cluster.tasks()).toEqual([]);
  });

  it('wait for a node that is down, and go with one that is removed', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops });
    const { id } = await cluster.createService({ replicas: 4 });
    await cluster.advance(1000);
    await cluster.down('node-1');
    await cluster.removeService(id);
    await cluster.advance(60_000);
    expect(shown(cluster.tasks(id))).toEqual(['remove/running', 'remove/running']);
    await cluster.removeNode('node-1');
    await cluster.advance(1000);
    expect(cluster.tasks()).toEqual([]);
  });

  it('are found after a restart, with those whose node went meanwhile', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops: [orchestrator] });
    const gone = await cluster.createService({ replicas: 2 });
    const stays = await cluster.createService({ replicas: 2 });
    await cluster.advance(1000);
    await cluster.down('node-1');
    await cluster.removeService(gone.id);
    await cluster.advance(1000);
    await cluster.removeNode('node-1');
    const stop = cluster.run(reaper);
    await cluster.advance(1000);
    await stop();
    expect(cluster.tasks(gone.id)).toEqual([]);
    const states = shown(cluster.tasks(stays.id)).sort();
    expect(states).toEqual(['running/running', 'running/running', 'shutdown/orphaned']);
  });
});

describe('lost nodes', () => {
  it('leave the old task of one that is down in the history', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops, cluster: { taskHistoryLimit: 1 } });
    const { id } = await cluster.createService();
    await cluster.advance(1000);
    const [old] = cluster.running(id);
    await cluster.down(old?.nodeId ?? '');
    await cluster.advance(10_000);
    expect(shown(cluster.tasks(id))).toEqual(['shutdown/running', 'running/running']);
    await cluster.ready(old?.nodeId ?? '');
    await cluster.advance(1000);
    expect(shown(cluster.tasks(id))).toEqual(['running/running']);
  });

  it('leave their tasks orphaned when they are removed, and new ones in their places', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops });
    const { id } = await cluster.createService();
    await cluster.advance(1000);
    const [old] = cluster.running(id);
    await cluster.store.update((tx) => {
      const task = tx.get('task', old?.id ?? '');
      const port = {
        name: '',
        protocol: 'tcp',
        targetPort: 80,
        publishedPort: 8080,
        publishMode: 'host',
      } as const;
      if (task) tx.update('task', { ...task, status: { ...task.status, ports: [port] } });
    });
    await cluster.down(old?.nodeId ?? '');
    await cluster.removeNode(old?.nodeId ?? '');
    await cluster.advance(2000);
    const [former, now] = cluster.tasks(id);
    expect(former?.status).toMatchObject({
      state: 'orphaned',
      message: 'Task belonged to a node that has been deleted',
      ports: [],
    });
    expect(now?.status.state).toBe('running');
  });

  it('take along the networks of containers that are of no service', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops });
    const { id } = await cluster.createService();
    await cluster.advance(1000);
    const [task] = cluster.tasks(id);
    if (!task) throw new Error('no task');
    await cluster.store.update((tx) =>
      tx.create('task', { ...task, id: 'attachment', serviceId: '', slot: 0 }),
    );
    await cluster.advance(1000);
    expect(cluster.store.view.get('task', 'attachment')?.status.state).toBe('running');
    await cluster.removeNode('node-1');
    await cluster.advance(1000);
    expect(cluster.store.view.get('task', 'attachment')).toBeUndefined();
  });
});

describe('places on networks of containers that are no tasks', () => {
  it('stay while they are used, and go when they ended, without a new one', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops, cluster: { taskHistoryLimit: 0 } });
    const { id } = await cluster.createService();
    await cluster.advance(1000);
    const [task] = cluster.tasks(id);
    if (!task) throw new Error('no task');
    const ends = ['failed', 'rejected', 'complete', 'shutdown'] as const;
    await cluster.store.update((tx) => {
      for (const name of ends) tx.create('task', { ...task, id: name, serviceId: '', slot: 0 });
    });
    await cluster.advance(60_000);
    expect(cluster.tasks()).toHaveLength(5);
    await cluster.store.update((tx) => {
      for (const state of ends) {
        const place = tx.get('task', state);
        if (place) tx.update('task', { ...place, status: { ...place.status, state } });
      }
    });
    await cluster.advance(1000);
    expect(ids(cluster.tasks())).toEqual([task.id]);
  });
});

describe('the reaper', () => {
  it('leaves tasks alone that are under way', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops, cluster: { taskHistoryLimit: 0 } });
    cluster.behave(HANGS);
    const { id } = await cluster.createService({ replicas: 2 });
    await cluster.advance(5000);
    expect(shown(cluster.tasks(id))).toEqual(['running/preparing', 'running/preparing']);
    const { revision } = cluster.store.view;
    await cluster.advance(60_000);
    expect(cluster.store.view.revision).toBe(revision);
  });

  it('goes on when nothing could be written for a while', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [orchestrator] });
    const { store, times } = cluster;
    let full = true;
    const batch: Store['batch'] = (items, change) =>
      full ? Promise.reject(new SwarmError('unavailable', 'no space')) : store.batch(items, change);
    const broken: Store = { ...store, view: store.view, watch: (see) => store.watch(see), batch };
    const context = fakeContext(broken, times);
    const end = new AbortController();
    const running = runReaper(context, end.signal);
    const { id } = await cluster.createService({ replicas: 3 });
    await cluster.advance(1000);
    await cluster.removeService(id);
    await cluster.advance(20_000);
    expect(cluster.tasks()).toHaveLength(3);
    expect(context.lines.length).toBeLessThan(8);
    full = false;
    await cluster.advance(40_000);
    expect(cluster.tasks()).toEqual([]);
    end.abort();
    await running;
  });
});
