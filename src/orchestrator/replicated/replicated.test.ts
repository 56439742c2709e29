import { afterEach, describe, expect, it } from 'vitest';
import { HANGS, RUNS, SimulatedCluster, type Loop } from '../../../test/simulation/index.ts';
import { runOrchestrator } from '../run.ts';

const loops: Loop[] = [(context, signal) => runOrchestrator(context, signal)];
let cluster: SimulatedCluster;
afterEach(async () => cluster.stop());

const slots = (id: string): number[] => cluster.running(id).map(({ slot }) => slot);
const perNode = (id: string): number[] => {
  const nodes = new Map<string, number>();
  for (const { nodeId } of cluster.running(id)) nodes.set(nodeId, (nodes.get(nodeId) ?? 0) + 1);
  return [...nodes.values()].sort();
};

describe('a replicated service', () => {
  it('has its tasks in slots from 1, and says nothing of an update', async () => {
    cluster = await SimulatedCluster.start({ loops });
    const { id } = await cluster.createService({ replicas: 5 });
    await cluster.advance(1000);
    expect(slots(id)).toEqual([1, 2, 3, 4, 5]);
    expect(perNode(id)).toEqual([1, 2, 2]);
    expect(cluster.service(id).updateStatus).toBeUndefined();
    expect(cluster.context.lines).toEqual([]);
  });

  it('fills the smallest free slots when scaled up', async () => {
    cluster = await SimulatedCluster.start({ loops });
    const { id } = await cluster.createService({ replicas: 3 });
    await cluster.advance(1000);
    const before = cluster.running(id).map(({ id: task }) => task);
    await cluster.store.update((tx) => {
      for (const task of tx.tasksOfService(id))
        if (task.slot === 2) tx.update('task', { ...task, desiredState: 'remove' });
    });
    await cluster.scale(id, 4);
    await cluster.advance(1000);
    expect(slots(id)).toEqual([1, 2, 3, 4]);
    expect(cluster.running(id).map(({ id: task }) => task)).toEqual(
      expect.arrayContaining([before[0], before[2]]),
    );
    expect(cluster.service(id).updateStatus).toBeUndefined();
  });

  it('scaled down, leaves the nodes evenly used; what goes is to be removed', async () => {
    cluster = await SimulatedCluster.start({ loops });
    const { id } = await cluster.createService({ replicas: 9 });
    await cluster.advance(1000);
    await cluster.scale(id, 3);
    await cluster.advance(1000);
    expect(perNode(id)).toEqual([1, 1, 1]);
    const gone = cluster.tasks(id).filter(({ desiredState }) => desiredState !== 'running');
    expect(gone).toHaveLength(6);
    expect(
      gone.every(({ desiredState, status }) => desiredState === 'remove' && status.state === 'shutdown'),
    ).toBe(true);
  });

  it('scaled down, gives up first what does not run', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops });
    cluster.behave(({ slot }) => (slot === 1 ? HANGS : RUNS));
    const { id } = await cluster.createService({ replicas: 3 });
    await cluster.advance(1000);
    await cluster.scale(id, 2);
    await cluster.advance(1000);
    expect(slots(id)).toEqual([2, 3]);
    await cluster.scale(id, 0);
    await cluster.advance(1000);
    expect(cluster.tasks(id).every(({ desiredState }) => desiredState === 'remove')).toBe(true);
  });

  it('removed, has all its tasks removed; those that never had a node have ended', async () => {
    cluster = await SimulatedCluster.start({ nodes: 0, loops });
    const { id } = await cluster.createService({ replicas: 2 });
    await cluster.advance(100);
    await cluster.removeService(id);
    await cluster.advance(100);
    expect(cluster.tasks(id).map(({ desiredState, status }) => [desiredState, status.state])).toEqual([
      ['remove', 'shutdown'],
      ['remove', 'shutdown'],
    ]);
  });

  it('removed while nobody looked, too', async () => {
    cluster = await SimulatedCluster.start();
    const stop = cluster.run(loops[0] as Loop);
    const { id } = await cluster.createService({ replicas: 2 });
    await cluster.advance(1000);
    await stop();
    await cluster.removeService(id);
    await cluster.advance(1000);
    expect(cluster.running(id)).toHaveLength(2);
    cluster.run(loops[0] as Loop);
    await cluster.advance(1000);
    expect(cluster.tasks(id).map(({ desiredState }) => desiredState)).toEqual(['remove', 'remove']);
  });

  it('gets a task again whose row is gone', async () => {
    cluster = await SimulatedCluster.start({ loops });
    const { id } = await cluster.createService({ replicas: 2 });
    await cluster.advance(1000);
    await cluster.store.update((tx) => tx.remove('task', cluster.tasks(id)[0]?.id ?? ''));
    await cluster.advance(1000);
    expect(slots(id)).toEqual([1, 2]);
  });

  it('is filled in several looks when it is large', async () => {
    cluster = await SimulatedCluster.start({ loops, agents: false });
    const { id } = await cluster.createService({ replicas: 2500 });
    await cluster.times.settle();
    const made = cluster.tasks(id);
    expect(made.map(({ slot }) => slot)).toEqual(Array.from({ length: 2500 }, (_, at) => at + 1));
    await cluster.scale(id, 10);
    expect(cluster.tasks(id).filter(({ desiredState }) => desiredState === 'running')).toHaveLength(10);
  });
});
