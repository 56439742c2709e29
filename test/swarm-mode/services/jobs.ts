import { expect, test } from 'vitest';
import { stateOf, type ServiceSwarm } from './service-swarm.ts';

/** Services whose tasks come to an end. */
export function jobTests(get: () => ServiceSwarm): void {
  test.concurrent('a job runs as often as it was asked for, and again when it is forced', async () => {
    const swarm = get();
    const counts = (): Promise<string> =>
      swarm.docker('service', 'ls', '-f', 'name=press', '--format', '{{.Mode}} {{.Replicas}}');
    const mode = ['--mode', 'replicated-job', '--replicas', '5', '--max-concurrent', '2'];
    const said = await swarm.create('press', mode, 'busybox', 'true');
    expect(said).toContain('job complete');
    expect(await counts()).toBe('replicated job 0/2 (5/5 completed)');
    const tasks = await swarm.tasks('press');
    expect(tasks.map((task) => `${stateOf(task)} ${task.DesiredState}`)).toEqual(
      Array<string>(5).fill('Complete Complete'),
    );
    // Docker counts a job's slots from 0, and its CLI names a task without one after the node.
    expect(tasks.map(({ Name, Node }) => Name.replace(/\w{25}/, Node)).sort()).toEqual([
      'press.1',
      'press.2',
      'press.3',
      'press.4',
      expect.stringMatching(/^press\.core-0\d$/) as string,
    ]);

    await swarm.update('press', '--force');
    expect(await counts()).toBe('replicated job 0/2 (5/5 completed)');
    expect(await swarm.inspect('press', '{{.JobStatus.JobIteration.Index}}')).toBe('1');
    await swarm.remove('press');
  });

  test.concurrent('a job on every node ends on each of them; what fails is tried again', async () => {
    const swarm = get();
    const retry = ['--restart-max-attempts', '1', '--restart-delay', '100ms'];
    await swarm.create('sweep', ['--mode', 'global-job'], 'busybox', 'true');
    await swarm.create(
      'broken',
      ['-d', '--mode', 'replicated-job', '--replicas', '1', ...retry],
      ...['busybox', 'false'],
    );
    expect(
      await swarm.docker('service', 'ls', '-f', 'name=sweep', '--format', '{{.Mode}} {{.Replicas}}'),
    ).toBe('global job 0/0 (3/3 completed)');
    const nodes = (await swarm.tasks('sweep')).map((task) => `${task.Node} ${stateOf(task)}`).sort();
    expect(nodes).toEqual(['core-01 Complete', 'core-02 Complete', 'core-03 Complete']);
    const tries = await swarm.tasksWhen('broken', (tasks) => {
      return tasks.length === 2 && tasks.every((task) => stateOf(task) === 'Failed');
    });
    expect(tries.map(({ Error }) => Error)).toEqual(Array<string>(2).fill('"task: non-zero exit (1)"'));
    expect(await swarm.refused('service', 'rollback', 'sweep')).toContain('previous spec');
    await swarm.remove('sweep', 'broken');
  });
}
