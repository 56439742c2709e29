import { afterEach, describe, expect, it } from 'vitest';
import { endsAfter, RUNS, SimulatedCluster, type Loop } from '../../../test/simulation/index.ts';
import type { Placement, ServiceMode, Task } from '../../model/index.ts';
import { runOrchestrator } from '../run.ts';

const loops: Loop[] = [(context, signal) => runOrchestrator(context, signal)];
const mode: ServiceMode = { kind: 'global' };
let cluster: SimulatedCluster;
afterEach(async () => cluster.stop());

const on = (id: string): string[] =>
  cluster
    .running(id)
    .map(({ nodeId }) => nodeId)
    .sort();
const shown = (tasks: readonly Task[]): string[] =>
  tasks.map(({ nodeId, desiredState, status }) => `${nodeId} ${desiredState}/${status.state}`);
const placed = (placement: Partial<Placement>): { task: { placement: Placement } } => ({
  task: { placement: { constraints: [], spreadOver: [], maxReplicas: 0, platforms: [], ...placement } },
});

describe('a global service', () => {
  it('has one task on every node, new ones included, without slots', async () => {
    cluster = await SimulatedCluster.start({ loops });
    const { id } = await cluster.createService({ mode });
    await cluster.advance(1000);
    expect(on(id)).toEqual(['node-1', 'node-2', 'node-3']);
    await cluster.addNode({ id: 'node-4' });
    await cluster.advance(1000);
    expect(on(id)).toEqual(['node-1', 'node-2', 'node-3', 'node-4']);
    expect(cluster.tasks(id).map(({ slot }) => slot)).toEqual([0, 0, 0, 0]);
    expect(cluster.service(id).updateStatus).toBeUndefined();
  });

  it('follows constraints as labels change', async () => {
    cluster = await SimulatedCluster.start({ loops });
    const { id } = await cluster.createService({
      mode,
      ...placed({ constraints: ['node.labels.disk == ssd'] }),
    });
    await cluster.advance(1000);
    expect(on(id)).toEqual([]);
    const label = (nodeId: string, disk: string): Promise<void> =>
      cluster.store.update((tx) => {
        const node = tx.get('node', nodeId);
        if (!node) throw new Error('no node');
        const annotations = { ...node.spec.annotations, labels: { disk } };
        tx.update('node', { ...node, spec: { ...node.spec, annotations } });
      });
    await label('node-2', 'ssd');
    await cluster.advance(1000);
    expect(on(id)).toEqual(['node-2']);
    await label('node-2', 'slow');
    await cluster.advance(1000);
    expect(shown(cluster.tasks(id))).toEqual(['node-2 shutdown/shutdown']);
    await label('node-2', 'ssd');
    await cluster.advance(1000);
    expect(on(id)).toEqual(['node-2']);
  });

  it('has no task where its image does not run', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops });
    await cluster.addNode({ id: 'small', platform: { architecture: 'aarch64', os: 'linux' } });
    const platforms = [{ architecture: 'arm64', os: 'linux' }];
    const { id } = await cluster.createService({ mode, ...placed({ platforms }) });
    await cluster.advance(1000);
    expect(on(id)).toEqual(['small']);
  });

  it('loses its task with the node, and has one again when that is back', async () => {
    cluster = await SimulatedCluster.start({ loops });
    const { id } = await cluster.createService({ mode });
    await cluster.advance(1000);
    await cluster.down('node-1');
    await cluster.advance(60_000);
    expect(shown(cluster.tasks(id).filter(({ nodeId }) => nodeId === 'node-1'))).toEqual([
      'node-1 shutdown/running',
    ]);
    await cluster.ready('node-1');
    await cluster.advance(1000);
    expect(shown(cluster.tasks(id).filter(({ nodeId }) => nodeId === 'node-1'))).toEqual([
      'node-1 shutdown/shutdown',
      'node-1 running/running',
    ]);
  });

  it('leaves an emptied node, keeps its task on a paused one, and removes those of one that is gone', async () => {
    cluster = await SimulatedCluster.start({ loops });
    const { id } = await cluster.createService({ mode });
    await cluster.advance(1000);
    await cluster.drain('node-1');
    await cluster.setNode('node-2', 'ready', 'pause');
    await cluster.removeNode('node-3');
    await cluster.advance(1000);
    expect(shown(cluster.tasks(id))).toEqual([
      'node-1 shutdown/shutdown',
      'node-2 running/running',
      'node-3 remove/running',
    ]);
    await cluster.setNode('node-1', 'ready', 'active');
    await cluster.advance(1000);
    expect(on(id)).toEqual(['node-1', 'node-2']);
  });

  it('is restarted where it was; not on a paused node, until that is active', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops });
    await cluster.setNode('node-2', 'ready', 'active');
    cluster.behave(({ replaces }) => (replaces ? RUNS : endsAfter(2000, 1)));
    const { id } = await cluster.createService({ mode });
    await cluster.advance(1000);
    await cluster.setNode('node-2', 'ready', 'pause');
    cluster.behave(RUNS);
    await cluster.advance(20_000);
    expect(on(id)).toEqual(['node-1']);
    expect(cluster.tasks(id)).toHaveLength(3);
    await cluster.setNode('node-2', 'ready', 'active');
    await cluster.advance(1000);
    expect(on(id)).toEqual(['node-1', 'node-2']);
  });

  it('moves nothing while nodes are unknown', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2 });
    const stop = cluster.run(loops[0] as Loop);
    const { id } = await cluster.createService({ mode });
    await cluster.advance(1000);
    const before = cluster.tasks(id).map(({ id: task }) => task);
    await stop();
    for (const node of ['node-1', 'node-2']) await cluster.setNode(node, 'unknown');
    cluster.run(loops[0] as Loop);
    await cluster.advance(10_000);
    for (const node of ['node-1', 'node-2']) await cluster.ready(node);
    await cluster.advance(10_000);
    expect(cluster.tasks(id).map(({ id: task }) => task)).toEqual(before);
    expect(on(id)).toHaveLength(2);
  });

  it('is updated node by node; a paused node when it is active again, without another update', async () => {
    cluster = await SimulatedCluster.start({ loops });
    const { id } = await cluster.createService({ mode });
    await cluster.advance(1000);
    await cluster.setNode('node-3', 'ready', 'pause');
    await cluster.updateService(id, (spec) => ({ ...spec, task: { ...spec.task, forceUpdate: 1 } }));
    await cluster.advance(60_000);
    expect(cluster.service(id).updateStatus).toMatchObject({
      state: 'completed',
      message: 'update completed',
    });
    const version = cluster.service(id).specVersion;
    const current = (): string[] =>
      cluster
        .running(id)
        .filter(({ specVersion }) => specVersion === version)
        .map(({ nodeId }) => nodeId);
    expect(current()).toEqual(['node-1', 'node-2']);
    await cluster.setNode('node-3', 'ready', 'active');
    await cluster.advance(1000);
    expect(current()).toEqual(['node-1', 'node-2', 'node-3']);
    expect(on(id)).toHaveLength(3);
    expect(cluster.service(id).updateStatus?.state).toBe('completed');
  });

  it('goes with all its tasks', async () => {
    cluster = await SimulatedCluster.start({ loops });
    const { id } = await cluster.createService({ mode });
    const other = await cluster.createService({ mode });
    await cluster.advance(1000);
    await cluster.removeService(id);
    await cluster.advance(1000);
    expect(cluster.tasks(id).every(({ desiredState }) => desiredState === 'remove')).toBe(true);
    expect(on(other.id)).toHaveLength(3);
    expect(cluster.context.lines).toEqual([]);
  });
});
