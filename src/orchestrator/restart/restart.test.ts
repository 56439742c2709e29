import { afterEach, describe, expect, it } from 'vitest';
import {
  endsAfter,
  FAILS_AT_ONCE,
  REJECTED,
  RUNS,
  SimulatedCluster,
  type Loop,
} from '../../../test/simulation/index.ts';
import type { RestartPolicy, Task } from '../../model/index.ts';
import { runOrchestrator } from '../run.ts';

const orchestrator: Loop = (context, signal) => runOrchestrator(context, signal);
const SECOND = 1e9;
let cluster: SimulatedCluster;
afterEach(async () => cluster.stop());

const policy = (wishes: Partial<RestartPolicy>): { task: { restart: RestartPolicy } } => ({
  task: { restart: { condition: 'any', maxAttempts: 0, ...wishes } },
});
const shown = (tasks: readonly Task[]): string[] =>
  tasks.map(({ desiredState, status }) => `${desiredState}/${status.state}`);

describe('a task that ends', () => {
  it('has a successor that is made ready at once and runs after 5 s', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [orchestrator] });
    cluster.behave(endsAfter(1000, 1));
    const { id } = await cluster.createService();
    await cluster.advance(1100);
    cluster.behave(RUNS);
    await cluster.advance(4900);
    expect(shown(cluster.tasks(id))).toEqual(['shutdown/failed', 'ready/ready']);
    await cluster.advance(100);
    expect(shown(cluster.tasks(id))).toEqual(['shutdown/failed', 'running/running']);
    expect(cluster.tasks(id).map(({ slot }) => slot)).toEqual([1, 1]);
  });

  it.each([
    ['any', 0, 2],
    ['any', 1, 2],
    ['on-failure', 0, 1],
    ['on-failure', 1, 2],
    ['none', 0, 1],
    ['none', 1, 1],
  ] as const)('with the condition %s and exit code %d: %d tasks in all', async (condition, code, count) => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [orchestrator] });
    cluster.behave(({ replaces }) => (replaces ? RUNS : endsAfter(100, code)));
    const { id } = await cluster.createService(policy({ condition, delayNs: SECOND }));
    await cluster.advance(60_000);
    expect(cluster.tasks(id)).toHaveLength(count);
    expect(cluster.running(id)).toHaveLength(count - 1);
    // Another look changes nothing: a place that was given up is not free.
    await cluster.scale(id, 1);
    await cluster.advance(1000);
    expect(cluster.tasks(id)).toHaveLength(count);
  });

  it('is tried as often as the service allows, each version anew', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [orchestrator] });
    cluster.behave(FAILS_AT_ONCE);
    const { id } = await cluster.createService(policy({ maxAttempts: 3, delayNs: SECOND }));
    await cluster.advance(60_000);
    expect(shown(cluster.tasks(id))).toEqual(Array.from({ length: 4 }, () => 'shutdown/failed'));
    await cluster.updateService(id, (spec) => ({
      ...spec,
      update: {
        parallelism: 1,
        delayNs: 0,
        failureAction: 'continue',
        maxFailureRatio: 0,
        order: 'stop-first',
      },
      task: { ...spec.task, forceUpdate: 1 },
    }));
    await cluster.advance(60_000);
    expect(cluster.tasks(id)).toHaveLength(8);
  });

  it('is tried no more often because the manager was restarted', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1 });
    cluster.behave(FAILS_AT_ONCE);
    const { id } = await cluster.createService(policy({ maxAttempts: 3, delayNs: SECOND }));
    for (let time = 0; time < 10; time++) {
      const stop = cluster.run(orchestrator);
      await cluster.advance(700);
      await stop();
    }
    cluster.run(orchestrator);
    await cluster.advance(60_000);
    expect(cluster.tasks(id)).toHaveLength(4);
  });

  it('is tried for ever when its attempts are few within the window', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [orchestrator] });
    cluster.behave(endsAfter(4000, 1));
    const { id } = await cluster.createService(
      policy({ maxAttempts: 2, delayNs: SECOND, windowNs: 9 * SECOND }),
    );
    await cluster.advance(60_000);
    expect(cluster.tasks(id).length).toBeGreaterThan(8);
    cluster.behave(FAILS_AT_ONCE);
    await cluster.advance(60_000);
    const count = cluster.tasks(id).length;
    await cluster.advance(60_000);
    expect(cluster.tasks(id)).toHaveLength(count);
    expect(cluster.running(id)).toEqual([]);
  });

  it('fails for ever without keeping the swarm busy', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [orchestrator] });
    cluster.behave({ startMs: 0, ends: 'rejected' });
    const { id } = await cluster.createService(policy({ delayNs: 0 }));
    await cluster.advance(10_000);
    expect(cluster.tasks(id).length).toBeGreaterThan(90);
    expect(cluster.tasks(id).length).toBeLessThan(105);
  });

  it('and that is refused while it waits, gets its successor when its turn comes', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [orchestrator] });
    cluster.behave(REJECTED);
    const { id } = await cluster.createService(policy({ delayNs: 10 * SECOND }));
    await cluster.advance(10_050);
    expect(shown(cluster.tasks(id))).toEqual(['shutdown/rejected', 'ready/rejected']);
    await cluster.advance(100);
    expect(cluster.tasks(id)).toHaveLength(3);
    await cluster.advance(100_000);
    expect(cluster.tasks(id)).toHaveLength(13);
  });

  it('keeps its delay when the manager restarts meanwhile, and no more than that', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1 });
    const stop = cluster.run(orchestrator);
    cluster.behave(({ replaces }) => (replaces ? RUNS : FAILS_AT_ONCE));
    const { id } = await cluster.createService(policy({ delayNs: 20 * SECOND }));
    await cluster.advance(150);
    await stop();
    await cluster.advance(10_000);
    cluster.run(orchestrator);
    await cluster.advance(9900);
    expect(cluster.running(id)).toEqual([]);
    await cluster.advance(200);
    expect(cluster.running(id)).toHaveLength(1);
  });

  it('gets no successor when its service is gone or smaller', async () => {
    cluster = await SimulatedCluster.start({ nodes: 1, loops: [orchestrator] });
    cluster.behave(endsAfter(0, 1));
    const { id } = await cluster.createService({ replicas: 2, ...policy({ delayNs: 20 * SECOND }) });
    await cluster.advance(1000);
    await cluster.scale(id, 1);
    await cluster.advance(1000);
    expect(cluster.tasks(id).filter(({ desiredState }) => desiredState === 'ready')).toHaveLength(1);
    await cluster.removeService(id);
    await cluster.advance(60_000);
    expect(cluster.tasks(id).every(({ desiredState }) => desiredState === 'remove')).toBe(true);
    expect(cluster.tasks(id)).toHaveLength(4);
  });
});

describe('a node that is lost', () => {
  it('has its tasks run elsewhere without a delay; its own are told to stop and do when it is back', async () => {
    cluster = await SimulatedCluster.start({ nodes: 3, loops: [orchestrator] });
    const { id } = await cluster.createService({ replicas: 6, ...policy({ delayNs: 60 * SECOND }) });
    await cluster.advance(1000);
    await cluster.down('node-2');
    await cluster.advance(100);
    expect(cluster.running(id).filter(({ nodeId }) => nodeId !== 'node-2')).toHaveLength(6);
    const lost = cluster.tasks(id).filter(({ nodeId }) => nodeId === 'node-2');
    expect(shown(lost)).toEqual(['shutdown/running', 'shutdown/running']);
    await cluster.ready('node-2');
    await cluster.advance(1000);
    const back = cluster.tasks(id).filter(({ nodeId }) => nodeId === 'node-2');
    expect(shown(back)).toEqual(['shutdown/shutdown', 'shutdown/shutdown']);
    expect(cluster.running(id)).toHaveLength(6);
  });

  it('counts as no attempt, and as none that was too many', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops: [orchestrator] });
    const { id } = await cluster.createService(policy({ maxAttempts: 1, delayNs: SECOND }));
    for (let time = 0; time < 3; time++) {
      await cluster.advance(1000);
      const nodeId = cluster.running(id)[0]?.nodeId ?? '';
      await cluster.down(nodeId);
      await cluster.advance(1000);
      await cluster.ready(nodeId);
    }
    expect(cluster.running(id)).toHaveLength(1);
  });

  it('moves nothing while it is only unknown', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops: [orchestrator] });
    const { id } = await cluster.createService({ replicas: 4 });
    await cluster.advance(1000);
    const before = cluster.tasks(id).map(({ id: task }) => task);
    for (const node of ['node-1', 'node-2']) await cluster.setNode(node, 'unknown');
    await cluster.advance(60_000);
    for (const node of ['node-1', 'node-2']) await cluster.ready(node);
    await cluster.advance(60_000);
    expect(cluster.tasks(id).map(({ id: task }) => task)).toEqual(before);
  });

  it('by being emptied, stops each task before its successor runs', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops: [orchestrator] });
    cluster.behave({ stopMs: 30_000 });
    const { id } = await cluster.createService({ replicas: 2 });
    await cluster.advance(1000);
    await cluster.drain('node-1');
    await cluster.advance(29_000);
    expect(shown(cluster.tasks(id)).sort()).toEqual(['ready/ready', 'running/running', 'shutdown/running']);
    await cluster.advance(2000);
    expect(cluster.running(id).map(({ nodeId }) => nodeId)).toEqual(['node-2', 'node-2']);
  });

  it('while a task is being stopped, or by its removal, holds nothing up', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops: [orchestrator] });
    cluster.behave({ stopMs: 50_000 });
    const { id } = await cluster.createService({ replicas: 2 });
    await cluster.advance(1000);
    await cluster.drain('node-1');
    await cluster.advance(1000);
    expect(cluster.running(id)).toHaveLength(1);
    await cluster.removeNode('node-1');
    await cluster.advance(200);
    expect(cluster.running(id)).toHaveLength(2);
  });

  it('waits a minute for a task that does not stop, not for ever', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops: [orchestrator] });
    cluster.behave({ stopMs: Infinity });
    const { id } = await cluster.createService();
    await cluster.advance(1000);
    await cluster.drain(cluster.running(id)[0]?.nodeId ?? '');
    await cluster.advance(59_000);
    expect(cluster.running(id)).toHaveLength(0);
    await cluster.advance(1000);
    expect(cluster.running(id)).toHaveLength(1);
  });

  it('while no manager looked, is found at the start', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2 });
    const stop = cluster.run(orchestrator);
    const { id } = await cluster.createService({ replicas: 4 });
    await cluster.advance(1000);
    await stop();
    await cluster.down('node-1');
    await cluster.advance(1000);
    cluster.run(orchestrator);
    await cluster.advance(200);
    expect(cluster.running(id).filter(({ nodeId }) => nodeId === 'node-2')).toHaveLength(4);
  });

  it('leaves a task where it was that is not to be restarted', async () => {
    cluster = await SimulatedCluster.start({ nodes: 2, loops: [orchestrator] });
    const { id } = await cluster.createService(policy({ condition: 'none' }));
    await cluster.advance(1000);
    await cluster.down(cluster.running(id)[0]?.nodeId ?? '');
    await cluster.advance(1000);
    expect(shown(cluster.tasks(id))).toEqual(['shutdown/running']);
  });
});
