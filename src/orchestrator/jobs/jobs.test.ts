import { afterEach, describe, expect, it } from 'vitest';
import {
  endsAfter,
  FAILS_AT_ONCE,
  HANGS,
  REJECTED,
  RUNS,
  SimulatedCluster,
  type ServiceWishes,
} from '../../../test/simulation/index.ts';
import type { RestartPolicy, ServiceMode, Task } from '../../model/index.ts';
import { runJobs } from './run-jobs.ts';

let cluster: SimulatedCluster;
afterEach(async () => cluster.stop());

async function started(nodes = 3): Promise<SimulatedCluster> {
  cluster = await SimulatedCluster.start({ nodes, loops: [runJobs] });
  // Jobs are asked for after their nodes have come.
  await cluster.advance(1_000);
  return cluster;
}

function job(total: number, concurrent: number, restart?: Partial<RestartPolicy>): ServiceWishes {
  const mode: ServiceMode = {
    kind: 'replicated-job',
    totalCompletions: total,
    maxConcurrent: concurrent,
  };
  return { mode, task: { restart: { condition: 'on-failure', delayNs: 2e9, maxAttempts: 0, ...restart } } };
}

const GLOBAL: ServiceWishes = { ...job(0, 0), mode: { kind: 'global-job' } };

const open = (tasks: Task[]): Task[] =>
  tasks.filter(({ status, desiredState }) => desiredState === 'complete' && status.state !== 'complete');
const inState = (id: string, state: string): Task[] =>
  cluster.tasks(id).filter(({ status }) => status.state === state);

describe('a replicated job', () => {
  it('completes as often as asked for, so many at a time, each slot once', async () => {
    await started();
    cluster.behave(endsAfter(1_000, 0));
    const { id } = await cluster.createService(job(5, 2));
    let most = 0;
    cluster.store.watch(() => (most = Math.max(most, open(cluster.tasks(id)).length)));
    await cluster.until('all are complete', () => inState(id, 'complete').length === 5);
    await cluster.advance(10_000);
    expect(most).toBe(2);
    const tasks = cluster.tasks(id);
    expect(tasks.map(({ slot }) => slot)).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(tasks.map(({ desiredState, jobIteration }) => `${desiredState} ${jobIteration}`))).toEqual(
      new Set(['complete 0']),
    );
    expect(cluster.times.waiting).toBeLessThanOrEqual(1);
  });

  it('tries a task that failed again in its slot, after the delay', async () => {
    await started();
    cluster.behave(({ replaces }) => (replaces ? endsAfter(500, 0) : FAILS_AT_ONCE));
    const { id } = await cluster.createService(job(2, 2));
    await cluster.advance(1_000);
    expect(cluster.tasks(id).map(({ slot, desiredState }) => `${slot} ${desiredState}`)).toEqual([
      '1 shutdown',
      '1 ready',
      '2 shutdown',
      '2 ready',
    ]);
    await cluster.advance(1_500);
    expect(inState(id, 'running')).toHaveLength(2);
    await cluster.until('all are complete', () => inState(id, 'complete').length === 2);
    expect(cluster.tasks(id)).toHaveLength(4);
  });

  it.each([
    [{ condition: 'none' as const }, 1],
    [{ maxAttempts: 2 }, 3],
  ])('gives a slot up as its restart policy says: %j', async (restart, tries) => {
    await started();
    cluster.behave(({ slot }) => (slot === 1 ? FAILS_AT_ONCE : endsAfter(100, 0)));
    const { id } = await cluster.createService(job(3, 1, restart));
    await cluster.until('the others are complete', () => inState(id, 'complete').length === 2);
    await cluster.advance(60_000);
    expect(cluster.tasks(id).filter(({ slot }) => slot === 1)).toHaveLength(tries);
    expect(inState(id, 'failed')).toHaveLength(tries);
    expect(open(cluster.tasks(id))).toEqual([]);
  });

  it('tries again what an engine refused', async () => {
    await started(1);
    cluster.behave(REJECTED);
    const { id } = await cluster.createService(job(1, 1));
    await cluster.advance(7_000);
    expect(inState(id, 'rejected').length).toBeGreaterThan(2);
  });

  it('runs elsewhere what a lost node had, at once and without counting it', async () => {
    await started(2);
    cluster.behave(endsAfter(5_000, 0));
    const { id } = await cluster.createService(job(4, 4, { maxAttempts: 1 }));
    await cluster.advance(1_000);
    await cluster.down('node-1');
    await cluster.advance(1_000);
    expect(cluster.running(id).map(({ nodeId }) => nodeId)).toEqual(['node-2', 'node-2', 'node-2', 'node-2']);
    await cluster.until('all are complete', () => inState(id, 'complete').length === 4);
    await cluster.drain('node-2');
    await cluster.advance(10_000);
    expect(inState(id, 'complete')).toHaveLength(4);
    expect(cluster.tasks(id)).toHaveLength(6);
  });

  it('begins anew with a new spec: what runs is removed, what completed stays', async () => {
    await started();
    cluster.behave(({ slot }) => (slot === 1 ? endsAfter(100, 0) : RUNS));
    const { id } = await cluster.createService(job(3, 3));
    await cluster.advance(1_000);
    cluster.behave(endsAfter(100, 0));
    await cluster.updateService(id, (spec) => ({ ...spec, task: { ...spec.task, forceUpdate: 1 } }));
    await cluster.advance(1_000);
    const shown = cluster.tasks(id).map(({ slot, jobIteration, status, desiredState }) => {
      return `${slot} of run ${jobIteration}: ${status.state}, ${desiredState}`;
    });
    expect(shown).toEqual([
      '1 of run 0: complete, complete',
      '1 of run 1: complete, complete',
      '2 of run 0: shutdown, remove',
      '2 of run 1: complete, complete',
      '3 of run 0: shutdown, remove',
      '3 of run 1: complete, complete',
    ]);
  });

  it('has its tasks removed with it, those that wait too', async () => {
    await started(1);
    cluster.behave(({ slot }) => [FAILS_AT_ONCE, endsAfter(100, 0), HANGS][slot - 1] ?? RUNS);
    const { id } = await cluster.createService(job(4, 4));
    await cluster.advance(1_000);
    await cluster.removeService(id);
    await cluster.advance(10_000);
    const tasks = cluster.tasks(id);
    expect(tasks).toHaveLength(5);
    expect(new Set(tasks.map(({ desiredState }) => desiredState))).toEqual(new Set(['remove']));
  });

  it('goes on where a loop that ended left it', async () => {
    cluster = await SimulatedCluster.start();
    const end = cluster.run(runJobs);
    cluster.behave(({ replaces, slot }) => (replaces || slot > 2 ? endsAfter(300, 0) : FAILS_AT_ONCE));
    const { id } = await cluster.createService(job(6, 2));
    await cluster.advance(1_000);
    await end();
    await cluster.advance(30_000);
    expect(cluster.tasks(id).map(({ desiredState }) => desiredState)).toEqual([
      'shutdown',
      'ready',
      'shutdown',
      'ready',
    ]);
    cluster.run(runJobs);
    await cluster.until('all are complete', () => inState(id, 'complete').length === 6);
    expect(cluster.tasks(id)).toHaveLength(8);
  });

  it('is one of many tasks', async () => {
    await started();
    cluster.behave(endsAfter(100, 0));
    const { id } = await cluster.createService(job(2_500, 700));
    await cluster.until('all are complete', () => inState(id, 'complete').length === 2_500, 120_000);
    expect(cluster.tasks(id)).toHaveLength(2_500);
  });
});

describe('a global job', () => {
  it('runs once on each node that was there, and on none that came later', async () => {
    await started(3);
    cluster.behave(endsAfter(500, 0));
    const { id } = await cluster.createService(GLOBAL);
    await cluster.advance(10);
    await cluster.addNode({ id: 'late' });
    await cluster.until('all are complete', () => inState(id, 'complete').length === 3);
    await cluster.advance(10_000);
    expect(cluster.tasks(id).map(({ nodeId, slot }) => `${nodeId} ${slot}`)).toEqual([
      'node-1 0',
      'node-2 0',
      'node-3 0',
    ]);
    await cluster.updateService(id, (spec) => ({ ...spec, task: { ...spec.task, forceUpdate: 1 } }));
    await cluster.until('the second run is complete', () => inState(id, 'complete').length === 7);
    expect(cluster.tasks(id).some(({ nodeId }) => nodeId === 'late')).toBe(true);
  });

  it('runs where its constraints let it, and on a node that was away when that is back', async () => {
    await started(2);
    await cluster.addNode({ id: 'other', labels: { zone: 'b' } });
    await cluster.down('node-2');
    await cluster.advance(1_000);
    cluster.behave(endsAfter(100, 0));
    const placement = {
      constraints: ['node.labels.zone != b'],
      spreadOver: [],
      maxReplicas: 0,
      platforms: [],
    };
    const { id } = await cluster.createService({ ...GLOBAL, task: { ...GLOBAL.task, placement } });
    await cluster.advance(5_000);
    expect(cluster.tasks(id).map(({ nodeId }) => nodeId)).toEqual(['node-1']);
    await cluster.ready('node-2');
    await cluster.until('both are complete', () => inState(id, 'complete').length === 2);
  });

  it('tries again on the node where it failed, as its restart policy says', async () => {
    await started(2);
    cluster.behave(({ nodeId }) => (nodeId === 'node-1' ? FAILS_AT_ONCE : endsAfter(100, 0)));
    const { id } = await cluster.createService({
      ...GLOBAL,
      ...{ task: job(0, 0, { maxAttempts: 2 }).task },
    });
    await cluster.advance(60_000);
    expect(inState(id, 'failed').map(({ nodeId }) => nodeId)).toEqual(['node-1', 'node-1', 'node-1']);
    expect(inState(id, 'complete')).toHaveLength(1);
  });

  it('leaves a node that is drained, and runs there again when that is active', async () => {
    await started(2);
    cluster.behave(endsAfter(5_000, 0));
    const { id } = await cluster.createService(GLOBAL);
    await cluster.advance(1_000);
    await cluster.drain('node-1');
    await cluster.advance(1_000);
    expect(inState(id, 'shutdown').map(({ nodeId }) => nodeId)).toEqual(['node-1']);
    expect(cluster.tasks(id)).toHaveLength(2);
    await cluster.setNode('node-1', 'ready', 'active');
    await cluster.until('both are complete', () => inState(id, 'complete').length === 2);
    await cluster.removeNode('node-2');
    await cluster.advance(1_000);
    expect(inState(id, 'complete')).toHaveLength(2);
  });

  it('is no reason to leave others alone when it cannot be understood', async () => {
    await started();
    cluster.behave(endsAfter(100, 0));
    const placement = { constraints: [], spreadOver: [], maxReplicas: 0, platforms: null as never };
    const bad = await cluster.createService({ ...GLOBAL, task: { ...GLOBAL.task, placement } });
    const { id } = await cluster.createService(job(1, 1));
    await cluster.until('the other is complete', () => inState(id, 'complete').length === 1);
    expect(cluster.tasks(bad.id)).toEqual([]);
    expect(cluster.context.lines[0]).toContain('could not decide about a job');
  });
});
