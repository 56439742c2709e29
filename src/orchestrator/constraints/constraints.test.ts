import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { SimulatedCluster, type Loop } from '../../../test/simulation/index.ts';
import type { Node, Placement, Resources, Task } from '../../model/index.ts';
import { runPlacing } from '../placing/run-placing.ts';
import { runOrchestrator } from '../run.ts';
import { newTask } from '../task.ts';
import { runConstraintEnforcer } from './run-constraint-enforcer.ts';

const orchestrator: Loop = (context, signal) => runOrchestrator(context, signal, { random: () => 0 });
const enforcer: Loop = (context, signal) => runConstraintEnforcer(context, signal);
/** Plays the allocator: there is nothing to allocate. */
const allocator: Loop = async ({ store }, signal) => {
  const unwatch = store.watch((events) => {
    for (const { kind, type, object } of events) {
      if (kind !== 'task' || type !== 'create') continue;
      void store.update((tx) => {
        const task = tx.get('task', object.id);
        if (task?.status.state === 'new')
          tx.update('task', { ...task, status: { ...task.status, state: 'pending' } });
      });
    }
  });
  await once(signal, 'abort');
  unwatch();
};
const placing: Loop = (context, signal) => runPlacing(context, signal, { random: () => 0 });
const loops = [allocator, placing, orchestrator, enforcer];
const GIB = 2 ** 30;

let cluster: SimulatedCluster;
afterEach(async () => {
  expect(cluster.context.lines).toEqual([]);
  await cluster.stop();
});

async function change(id: string, to: (node: Node) => Node): Promise<void> {
  await cluster.store.update((tx) => {
    const node = tx.get('node', id);
    if (node) tx.update('node', to(node));
  });
}

const label = (id: string, labels: Record<string, string>): Promise<void> =>
  change(id, (node) => ({
    ...node,
    spec: { ...node.spec, annotations: { ...node.spec.annotations, labels } },
  }));

const resize = (id: string, resources: Partial<Resources>): Promise<void> =>
  change(id, (node) => {
    const { description } = node;
    if (!description) return node;
    return {
      ...node,
      description: { ...description, resources: { ...description.resources, ...resources } },
    };
  });

function placement(...constraints: string[]): Placement {
  return { constraints, spreadOver: [], maxReplicas: 0, platforms: [] };
}

const shown = (tasks: readonly Task[]): string[] =>
  tasks.map(({ desiredState, status, nodeId }) => `${desiredState}/${status.state} ${nodeId}`);

/** Node 1 has the label `zone=a`, and a service that asks for it runs there. */
async function startInZone(): Promise<string> {
  cluster = await SimulatedCluster.start({ nodes: 2, placing: false, loops });
  await label('node-1', { zone: 'a' });
  await label('node-2', { zone: 'b' });
  const { id } = await cluster.createService({ task: { placement: placement('node.labels.zone==a') } });
  await cluster.advance(1000);
  if (cluster.running(id)[0]?.nodeId !== 'node-1') throw new Error(cluster.shown());
  return id;
}

describe('a node that no longer satisfies a constraint', () => {
  it('has its task rejected, and another one runs elsewhere', async () => {
    const id = await startInZone();
    await label('node-2', { zone: 'a' });
    await cluster.advance(1000);
    expect(cluster.tasks(id)).toHaveLength(1);
    await label('node-1', { zone: 'b' });
    await cluster.advance(100);
    const [old] = cluster.tasks(id);
    expect(old?.status).toMatchObject({
      state: 'rejected',
      message: 'task rejected by constraint enforcer',
      err: 'assigned node no longer meets constraints',
    });
    await cluster.advance(10_000);
    expect(shown(cluster.tasks(id))).toEqual(['shutdown/rejected node-1', 'running/running node-2']);
  });

  it('keeps it while it is paused, until it is active again', async () => {
    const id = await startInZone();
    await cluster.setNode('node-1', 'ready', 'pause');
    await label('node-1', {});
    await cluster.advance(10_000);
    expect(shown(cluster.tasks(id))).toEqual(['running/running node-1']);
    await cluster.setNode('node-1', 'ready', 'active');
    await cluster.advance(100);
    expect(shown(cluster.tasks(id))).toContain('shutdown/rejected node-1');
  });

  it('is judged by what the service asks for now', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, placing: false, loops });
    await label('node-1', { disk: 'ssd' });
    const { id } = await cluster.createService();
    await cluster.advance(1000);
    await cluster.updateService(id, (spec) => ({
      ...spec,
      task: { ...spec.task, placement: placement('node.labels.disk==ssd') },
    }));
    await cluster.advance(10_000);
    expect(shown(cluster.tasks(id))).toEqual(['running/running node-1']);
    await label('node-1', {});
    await cluster.advance(100);
    expect(shown(cluster.tasks(id))).toContain('shutdown/rejected node-1');
  });

  it('is found after a restart', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, placing: false, loops: loops.slice(0, 3) });
    const { id } = await cluster.createService({ task: { placement: placement('node.role==worker') } });
    await cluster.advance(1000);
    const stop = cluster.run(enforcer);
    await cluster.advance(1000);
    await stop();
    const nodeId = cluster.running(id)[0]?.nodeId ?? '';
    await change(nodeId, (node) => ({ ...node, role: 'manager' }));
    await cluster.advance(10_000);
    expect(shown(cluster.tasks(id))).toEqual([`running/running ${nodeId}`]);
    cluster.run(enforcer);
    await cluster.advance(10_000);
    expect(cluster.running(id).map((task) => task.nodeId)).toEqual([
      nodeId === 'node-1' ? 'node-2' : 'node-1',
    ]);
  });

  it("has a global service's task told to stop by the orchestrator", async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, placing: false, loops });
    const { id } = await cluster.createService({
      mode: { kind: 'global' },
      task: { placement: placement('node.labels.zone!=b') },
    });
    await cluster.advance(1000);
    await label('node-1', { zone: 'b' });
    await cluster.advance(10_000);
    expect(shown(cluster.tasks(id))).toEqual(['shutdown/shutdown node-1', 'running/running node-2']);
  });

  it('loses tasks made for another platform', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, placing: false, loops });
    const platforms = [{ os: 'linux', architecture: 'amd64' }];
    const { id } = await cluster.createService({ task: { placement: { ...placement(), platforms } } });
    await cluster.advance(1000);
    await change('node-1', (node) => ({
      ...node,
      ...(node.description
        ? { description: { ...node.description, platform: { os: 'linux', architecture: 'aarch64' } } }
        : {}),
    }));
    await cluster.advance(100);
    expect(shown(cluster.tasks(id))).toContain('shutdown/rejected node-1');
  });
});

describe('a node that has less than its tasks reserve', () => {
  it('keeps the oldest', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, placing: false, loops });
    const reservations = { nanoCpus: 1e9, memoryBytes: GIB, generic: [] };
    const names: string[] = [];
    for (let count = 0; count < 3; count++) {
      names.push((await cluster.createService({ task: { reservations } })).id);
      await cluster.advance(500);
    }
    await resize('node-1', { memoryBytes: 3 * GIB });
    await cluster.advance(100);
    expect(cluster.running()).toHaveLength(3);
    await resize('node-1', { memoryBytes: 2.5 * GIB });
    await cluster.advance(100);
    expect(names.map((id) => cluster.running(id).length)).toEqual([1, 1, 0]);
    await resize('node-1', { nanoCpus: 1.5e9 });
    await cluster.advance(100);
    expect(names.map((id) => cluster.running(id).length)).toEqual([1, 0, 0]);
  });

  it.each([
    ['fewer', [{ kind: 'gpu', value: 'two' }], ['two']],
    [
      'as many',
      [
        { kind: 'gpu', value: 'one' },
        { kind: 'gpu', value: 'two' },
      ],
      ['one', 'two'],
    ],
    ['an amount', [{ kind: 'gpu', value: 2 }], []],
    ['none', [], []],
  ])('loses those that hold named resources it has not: %s', async (_, generic, left) => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [enforcer] });
    const { id } = await cluster.createService({ replicas: 2 });
    await resize('node-1', {
      generic: [
        { kind: 'gpu', value: 'one' },
        { kind: 'gpu', value: 'two' },
      ],
    });
    await hold(id, ['one', 'two']);
    await resize('node-1', { generic });
    await cluster.advance(100);
    expect(cluster.running(id).map(({ assignedGenericResources: [held] }) => held?.value)).toEqual(left);
  });

  it('loses those that an amount is too small for', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [enforcer] });
    const { id } = await cluster.createService({ replicas: 2 });
    await resize('node-1', { generic: [{ kind: 'gpu', value: 5 }] });
    await hold(id, [3, 2]);
    await resize('node-1', { generic: [{ kind: 'gpu', value: 4 }] });
    await cluster.advance(100);
    expect(cluster.running(id).map(({ assignedGenericResources: [held] }) => held?.value)).toEqual([3]);
  });
});

/** Tasks that run on node 1 and hold these. */
async function hold(serviceId: string, values: readonly (string | number)[]): Promise<void> {
  const service = cluster.service(serviceId);
  for (const [index, value] of values.entries()) {
    await cluster.advance(10);
    await cluster.store.update((tx) => {
      const made = newTask(tx.cluster(), service, { slot: index + 1 }, cluster.times.wallMs());
      tx.create('task', {
        ...made,
        nodeId: 'node-1',
        status: { ...made.status, state: 'running' },
        assignedGenericResources: [{ kind: 'gpu', value }],
      });
    });
  }
}
