import { expect, test } from 'vitest';
import { eventually, stateOf, type ServiceSwarm, type TaskRow } from './service-swarm.ts';

const QUICK = [
  ...['--update-monitor', '300ms', '--rollback-monitor', '300ms'],
  ...['--update-delay', '0s', '--restart-delay', '100ms'],
];
const SLEEP = ['busybox', 'sleep', '1000'];

export function updateTests(get: () => ServiceSwarm): void {
  test.concurrent('an update replaces what runs, in the order that was asked for', async () => {
    const swarm = get();
    await swarm.create('order', [...QUICK, '--replicas', '2'], ...SLEEP);
    await swarm.update('order', '--env-add', 'A=1', '--update-order', 'stop-first');
    const state = '{{.UpdateStatus.State}} {{.UpdateStatus.Message}}';
    await swarm.inspectUntil('order', state, 'completed update completed');
    expect(await swarm.inspect('order', '{{len .PreviousSpec.TaskTemplate.ContainerSpec.Env}}')).toBe('0');
    const shown = await swarm.docker('service', 'ps', 'order');
    expect(shown.match(/^\w+ +order\.\d /gm)).toHaveLength(2);
    expect(shown.match(/^\w+ +\\_ order\.\d /gm)).toHaveLength(2);
    for (const [now, former] of bySlot(await ended(swarm, 'order', 2))) {
      const [next, last] = [await swarm.container(now), await swarm.container(former)];
      expect(next.Config.Env).toContain('A=1');
      expect(Date.parse(next.State.StartedAt)).toBeGreaterThanOrEqual(Date.parse(last.State.FinishedAt));
    }

    await swarm.update('order', '--force', '--update-order', 'start-first', '--update-parallelism', '0');
    expect(await swarm.inspect('order', '{{.Spec.TaskTemplate.ForceUpdate}}')).toBe('1');
    for (const [now, former] of bySlot(await ended(swarm, 'order', 4))) {
      const [next, last] = [await swarm.container(now), await swarm.container(former)];
      expect(Date.parse(next.State.StartedAt)).toBeLessThan(Date.parse(last.State.FinishedAt));
    }

    const before = await swarm.running('order', 2);
    await swarm.update('order', '--label-add', 'team=bees');
    expect(ids(await swarm.running('order', 2))).toEqual(ids(before));
    await swarm.remove('order');
  });

  test.concurrent('scaling keeps the tasks that stay', async () => {
    const swarm = get();
    await swarm.create('scaled', QUICK, ...SLEEP);
    const first = await swarm.running('scaled', 1);
    expect(await swarm.docker('service', 'scale', 'scaled=3')).toContain('scaled scaled to 3');
    const three = await swarm.running('scaled', 3);
    expect(ids(three)).toEqual(expect.arrayContaining(ids(first)));
    await swarm.docker('service', 'scale', 'scaled=1');
    const left = await swarm.running('scaled', 1);
    expect(ids(three)).toEqual(expect.arrayContaining(ids(left)));
    await swarm.docker('service', 'scale', 'scaled=0');
    await eventually('none runs', async () => {
      const shown = await swarm.docker('service', 'ls', '-f', 'name=scaled', '--format', '{{.Replicas}}');
      return shown === '0/0' || undefined;
    });
    await swarm.remove('scaled');
  });

  test.concurrent('an update that fails is rolled back by itself', async () => {
    const swarm = get();
    await swarm.create('back', [...QUICK, '--replicas', '2'], ...SLEEP);
    const said = await swarm.update('back', '--update-failure-action', 'rollback', '--args', 'false');
    expect(said).toMatch(/rollback: (update rolled back due to failure|rollback completed)/);
    const state = '{{.UpdateStatus.State}} {{.Spec.TaskTemplate.ContainerSpec.Args}}';
    await swarm.inspectUntil('back', state, 'rollback_completed [sleep 1000]');
    const tasks = await swarm.tasks('back');
    expect(tasks.map(({ Error }) => Error)).toContain('"task: non-zero exit (1)"');
    await swarm.running('back', 2);

    // An image that no node has: its tasks are rejected.
    const again = await swarm.update('back', '--update-failure-action', 'rollback', '--image', 'nothere:1');
    expect(again).toContain('rollback: ');
    await swarm.inspectUntil('back', state, 'rollback_completed [sleep 1000]');
    for (const { Image } of await swarm.running('back', 2)) expect(Image).toBe('busybox:latest');
    await swarm.remove('back');
  });

  test.concurrent('an update that fails pauses, and the former spec comes back on request', async () => {
    const swarm = get();
    await swarm.create('pause', [...QUICK, '--replicas', '2'], ...SLEEP);
    expect(await swarm.refused('service', 'rollback', 'pause')).toContain('does not have a previous spec');
    const sick = ['--health-cmd', 'false', '--health-interval', '100ms', '--health-retries', '1'];
    const said = await swarm.refused('service', 'update', '--no-resolve-image', ...sick, 'pause');
    expect(said).toMatch(
      /service update paused: update paused due to failure or early termination of task \w{25}/,
    );
    expect(await swarm.inspect('pause', '{{.UpdateStatus.State}}')).toBe('paused');
    // One of two is as it was: the update goes one by one.
    expect((await swarm.tasks('pause')).filter((task) => stateOf(task) === 'Running')).not.toEqual([]);

    await swarm.docker('service', 'rollback', 'pause');
    const state = '{{.UpdateStatus.State}} {{.Spec.TaskTemplate.ContainerSpec.Healthcheck}}';
    await swarm.inspectUntil('pause', state, 'rollback_completed <nil>');
    await swarm.running('pause', 2);
    await swarm.remove('pause');
  });
}

/** All tasks, once that many of them have ended. */
function ended(swarm: ServiceSwarm, name: string, count: number): Promise<TaskRow[]> {
  return swarm.tasksWhen(
    name,
    (tasks) => tasks.filter((task) => stateOf(task) === 'Shutdown').length === count,
  );
}

/** The newest task of each slot, and the one before it. */
function bySlot(tasks: readonly TaskRow[]): [TaskRow, TaskRow][] {
  return [...Map.groupBy(tasks, ({ Name }) => Name).values()].map(([now, former, ...rest]) => {
    if (!now || !former) throw new Error(`only ${rest.length} former tasks`);
    return [now, former];
  });
}

function ids(tasks: readonly TaskRow[]): string[] {
  return tasks.map(({ ID }) => ID).sort();
}
