import { afterEach, describe, expect, it } from 'vitest';
import { newTask } from '../../src/orchestrator/task.ts';
import type { Service } from '../../src/model/index.ts';
import { endsAfter, FAILS_AT_ONCE, FakeTimes, HANGS, REJECTED, SimulatedCluster } from './index.ts';

let cluster: SimulatedCluster;
afterEach(async () => cluster.stop());

async function oneTask(service: Service, nodeId?: string): Promise<void> {
  await cluster.store.update((tx) => {
    const place = nodeId === undefined ? { slot: 1 } : { nodeId };
    tx.create('task', newTask(tx.cluster(), service, place, cluster.times.wallMs()));
  });
  await cluster.times.settle();
}

const states = (): string[] => cluster.tasks().map(({ status }) => status.state);

describe('a simulated cluster', () => {
  it('places, starts and stops', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2 });
    const service = await cluster.createService();
    await oneTask(service);
    await oneTask(service);
    expect(states()).toEqual(['preparing', 'preparing']);
    expect(new Set(cluster.tasks().map(({ nodeId }) => nodeId)).size).toBe(2);
    await cluster.advance(99);
    expect(states()).toEqual(['preparing', 'preparing']);
    await cluster.advance(1);
    expect(states()).toEqual(['running', 'running']);
    await cluster.store.update((tx) => {
      for (const task of tx.tasksOfService(service.id))
        tx.update('task', { ...task, desiredState: 'shutdown' });
    });
    await cluster.advance(100);
    expect(states()).toEqual(['shutdown', 'shutdown']);
    expect(cluster.times.waiting).toBe(0);
  });

  it.each([
    [FAILS_AT_ONCE, 100, 'failed'],
    [REJECTED, 100, 'rejected'],
    [HANGS, 100_000, 'preparing'],
    [endsAfter(500, 0), 600, 'complete'],
    [endsAfter(500, 3), 600, 'failed'],
    [endsAfter(500, 3), 599, 'running'],
  ])('behaves as told: %j after %d ms is %s', async (behaviour, ms, state) => {
    cluster = await SimulatedCluster.start({ nodes: 1 });
    cluster.behave(behaviour);
    await oneTask(await cluster.createService());
    await cluster.advance(ms);
    expect(states()).toEqual([state]);
  });

  it('holds a task that is only wanted to be ready', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1 });
    const service = await cluster.createService();
    await cluster.store.update((tx) => {
      const task = newTask(tx.cluster(), service, { slot: 1 }, 0);
      tx.create('task', { ...task, desiredState: 'ready' });
    });
    await cluster.advance(10_000);
    expect(states()).toEqual(['ready']);
    await cluster.store.update((tx) => {
      for (const task of tx.all('task')) tx.update('task', { ...task, desiredState: 'running' });
    });
    await cluster.times.settle();
    expect(states()).toEqual(['running']);
  });

  it('leaves tasks pending without a node, and hears nothing of a node that is down', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1 });
    await cluster.drain('node-1');
    await oneTask(await cluster.createService());
    expect(states()).toEqual(['pending']);
    await cluster.setNode('node-1', 'ready', 'active');
    await cluster.down('node-1');
    await cluster.advance(1_000);
    expect(states()).toEqual(['preparing']);
    await cluster.ready('node-1');
    await cluster.advance(0);
    expect(states()).toEqual(['running']);
  });

  it('gives a task the node that it names, once that is ready', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2 });
    await cluster.down('node-2');
    await oneTask(await cluster.createService(), 'node-2');
    expect(states()).toEqual(['pending']);
    await cluster.ready('node-2');
    await cluster.advance(100);
    expect(cluster.running().map(({ nodeId }) => nodeId)).toEqual(['node-2']);
  });
});

describe('fake times', () => {
  it('ends pauses in order, each before what is due later, and those given up at once', async () => {
    cluster = await SimulatedCluster.start({ nodes: 0 });
    const times = new FakeTimes(0);
    const seen: string[] = [];
    const end = new AbortController();
    const waits = [
      times.pause(20, end.signal).then(() => seen.push(`second ${times.nowMs()}`)),
      times.pause(10, end.signal).then(async () => {
        seen.push(`first ${times.nowMs()}`);
        await times.pause(5, end.signal);
        seen.push(`then ${times.nowMs()}`);
      }),
      times.pause(1_000, end.signal).then(() => seen.push(`given up ${times.nowMs()}`)),
    ];
    await times.advance(30);
    expect(seen).toEqual(['first 10', 'then 15', 'second 20']);
    end.abort();
    await Promise.all(waits);
    expect(seen.at(-1)).toBe('given up 30');
    expect(times.waiting).toBe(0);
  });
});
