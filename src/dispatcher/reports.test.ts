import { afterEach, describe, expect, it } from 'vitest';
import { TaskState } from '../../proto/generated/swarmkit/types_pb.js';
import { startInProcess, taskFixture, type InProcess } from '../../test/dispatcher/in-process.ts';

let swarm: InProcess | undefined;
afterEach(() => swarm?.stop());

async function start(tasks: string[]): Promise<{ one: InProcess; report: Report }> {
  const one = await startInProcess({
    nodes: 2,
    beforeRun: async (store) => {
      await store.batch(tasks, (tx, id) => tx.create('task', taskFixture({ id })));
    },
  });
  swarm = one;
  const session = await one.session('node-1');
  const sessionId = session.last?.sessionId ?? '';
  const report: Report = (...updates) =>
    one.agent('node-1').updateTaskStatus({
      sessionId,
      updates: updates.map(([taskId, state, message = '']) => ({
        taskId,
        status: { state, message, timestamp: { seconds: 5n } },
      })),
    });
  return { one, report };
}

type Report = (...updates: [taskId: string, state: TaskState, message?: string][]) => Promise<unknown>;

describe('what an agent reports', () => {
  it('is written down, and by whom', async () => {
    const { one, report } = await start(['a']);
    await report(['a', TaskState.RUNNING, 'started']);
    expect(one.store.view.get('task', 'a')?.status).toEqual({
      state: 'running',
      timestampMs: 5000,
      message: 'started',
      err: '',
      ports: [],
      appliedBy: 'manager-1',
      appliedAtMs: one.times.wallMs(),
    });
  });

  it('never goes back, and said again changes nothing', async () => {
    const { one, report } = await start(['a']);
    await report(['a', TaskState.RUNNING]);
    const { revision } = one.store.view;
    await report(['a', TaskState.RUNNING]);
    await report(['a', TaskState.PREPARING]);
    await report(['a', TaskState.NEW], ['a', TaskState.ORPHANED], ['a', 4711 as TaskState]);
    expect(one.store.view.revision).toBe(revision);
    await report(['a', TaskState.RUNNING, 'with more to say']);
    expect(one.store.view.get('task', 'a')?.status.message).toBe('with more to say');
  });

  it('counts the furthest of several words on a task', async () => {
    const { one, report } = await start(['a']);
    await report(['a', TaskState.ACCEPTED], ['a', TaskState.FAILED], ['a', TaskState.RUNNING]);
    expect(one.store.view.get('task', 'a')?.status.state).toBe('failed');
  });

  it('is passed over for tasks that are gone', async () => {
    const { one, report } = await start(['a']);
    await report(['gone', TaskState.RUNNING], ['a', TaskState.RUNNING]);
    expect(one.store.view.get('task', 'a')?.status.state).toBe('running');
  });

  it('is refused for tasks of another node, all of it', async () => {
    const { one, report } = await start(['a']);
    await one.store.update((tx) => tx.create('task', taskFixture({ id: 'theirs', nodeId: 'node-2' })));
    await expect(report(['a', TaskState.RUNNING], ['theirs', TaskState.FAILED])).rejects.toThrow(
      'permission_denied',
    );
    expect(one.store.view.get('task', 'a')?.status.state).toBe('assigned');
    expect(one.store.view.get('task', 'theirs')?.status.state).toBe('assigned');
  });

  it('is committed with what others report at the same time', async () => {
    const tasks = Array.from({ length: 250 }, (_, number) => `t${number}`);
    const { one, report } = await start(tasks);
    const { revision } = one.store.view;
    await Promise.all([
      report(...tasks.slice(0, 150).map((id) => [id, TaskState.RUNNING] as [string, TaskState])),
      report(...tasks.slice(150).map((id) => [id, TaskState.RUNNING] as [string, TaskState])),
    ]);
    expect(tasks.every((id) => one.store.view.get('task', id)?.status.state === 'running')).toBe(true);
    expect(one.store.view.revision - revision).toBeLessThanOrEqual(4);
  });

  it('is not acknowledged when it could not be written', async () => {
    const { one, report } = await start(['a']);
    await one.store.close();
    await expect(report(['a', TaskState.RUNNING])).rejects.toThrow('unavailable');
  });

  it('needs a live session', async () => {
    const { one } = await start([]);
    await expect(one.agent('node-1').updateTaskStatus({ sessionId: 'x' })).rejects.toThrow('session invalid');
    await expect(one.agent('node-2').updateTaskStatus({ sessionId: 'x' })).rejects.toThrow(
      'node not registered',
    );
    expect(one.faults).toEqual([]);
  });
});
