import { expect, test } from 'vitest';
import { stateOf, type ServiceSwarm, type TaskRow } from './service-swarm.ts';

const SLEEP = ['busybox', 'sleep', '1000'];

/** Tasks that end, or that never begin. */
export function failureTests(get: () => ServiceSwarm): void {
  test.concurrent('how often a task is started again is the policy’s', async () => {
    const swarm = get();
    const fails = ['busybox', 'sh', '-c', 'exit 3'];
    await swarm.create('never', ['-d', '--restart-condition', 'none'], ...fails);
    await swarm.create('twice', ['-d', '--restart-delay', '0s', '--restart-max-attempts', '2'], ...fails);
    await swarm.create('done', ['-d', '--restart-condition', 'on-failure'], 'busybox', 'true');
    // Nothing comes after the last: whoever starts a task again does so when it sets the former one's desired state.
    const isOver = (tasks: readonly TaskRow[]): boolean =>
      tasks.length > 0 &&
      tasks.every((task) => task.DesiredState === 'Shutdown' && stateOf(task) !== 'Running');
    const [never, twice, done] = await Promise.all([
      swarm.tasksWhen('never', isOver),
      swarm.tasksWhen('twice', (tasks) => tasks.length >= 3 && isOver(tasks)),
      swarm.tasksWhen('done', isOver),
    ]);
    expect(never.map((task) => `${stateOf(task)} ${task.Error}`)).toEqual([
      'Failed "task: non-zero exit (3)"',
    ]);
    expect(twice.map((task) => `${stateOf(task)} ${task.Error}`)).toEqual(
      Array<string>(3).fill('Failed "task: non-zero exit (3)"'),
    );
    expect(done.map((task) => `${stateOf(task)} ${task.Error}`)).toEqual(['Complete ']);
    expect(await swarm.docker('service', 'ls', '-f', 'name=never', '--format', '{{.Replicas}}')).toBe('0/1');
    await swarm.remove('never', 'twice', 'done');
  });

  test.concurrent('what an engine says of a task it can’t run is shown', async () => {
    const swarm = get();
    const once = ['-d', '--restart-condition', 'none'];
    await swarm.create('no-image', once, 'nothere:1');
    await swarm.create('no-command', once, 'busybox', 'nosuch');
    await swarm.create('no-folder', [...once, '--mount', 'type=bind,src=/nosuch,dst=/x'], ...SLEEP);
    for (const [name, words] of [
      ['no-image', /^Rejected "No such image: nothere:1"$/],
      ['no-command', /^Failed "starting container failed: .*executable file not found/],
      [
        'no-folder',
        /^Rejected "invalid mount config for type "bind": bind source path does not exist: \/nosuch"$/,
      ],
    ] as const) {
      const [task] = await swarm.tasksWhen(name, ([one]) => one !== undefined && one.Error !== '');
      expect(task && `${stateOf(task)} ${task.Error}`).toMatch(words);
    }
    await swarm.remove('no-image', 'no-command', 'no-folder');
  });

  test.concurrent('a task whose container is unhealthy is replaced', async () => {
    const swarm = get();
    const health = ['--health-cmd', 'test ! -e /bad', '--health-interval', '200ms', '--health-retries', '1'];
    await swarm.create('sick', [...health, '--restart-delay', '100ms', '--update-monitor', '10ms'], ...SLEEP);
    const [first] = await swarm.running('sick', 1);
    if (first) await swarm.exec(first, 'touch', '/bad');
    const tasks = await swarm.tasksWhen('sick', ([one, two]) => {
      return (
        one !== undefined && two !== undefined && stateOf(one) === 'Running' && stateOf(two) === 'Failed'
      );
    });
    expect(tasks[1]).toMatchObject({
      ID: first?.ID,
      Error: expect.stringMatching(/unhealthy container"$/) as string,
    });
    await swarm.remove('sick');
  });

  test.concurrent('why no node will do is said, node by node', async () => {
    const swarm = get();
    const on3 = 'core-01, core-02, core-03';
    const cases = [
      ['cpus', ['--reserve-cpu', '1000'], 'insufficient resources on 3 nodes', on3],
      ['gpus', ['--generic-resource', 'gpu=2'], 'insufficient resources on 3 nodes', on3],
      ['where', ['--constraint', 'node.ip==1.2.3.4'], 'scheduling constraints not satisfied on 3 nodes', on3],
      [
        'driver',
        ['--mount', 'type=volume,src=a,dst=/a,volume-driver=nosuch'],
        'missing plugin on 3 nodes',
        on3,
      ],
    ] as const;
    for (const [name, options, reason, nodes] of cases) {
      await swarm.create(name, ['-d', ...options], ...SLEEP);
      const [task] = await swarm.tasksWhen(name, ([one]) => one !== undefined && one.Error !== '');
      expect(task).toMatchObject({ Node: '', DesiredState: 'Running' });
      expect(task && stateOf(task)).toBe('Pending');
      expect(task?.Error).toContain(`"no suitable node (${reason}`);
      expect(task?.Error).toContain(nodes);
    }
    // What fits after all is placed.
    await swarm.docker('service', 'update', '-d', '--no-resolve-image', '--reserve-cpu', '0.01', 'cpus');
    await swarm.running('cpus', 1);
    await swarm.remove(...cases.map(([name]) => name));
  });

  test.concurrent('a port of the hosts is there once a host', async () => {
    const swarm = get();
    await swarm.create(
      'ports',
      ['-d', '--replicas', '4', '-p', 'mode=host,target=80,published=8090'],
      'nginx',
    );
    const isFull = (tasks: readonly TaskRow[]): boolean =>
      tasks.filter((task) => stateOf(task) === 'Running').length === 3;
    const tasks = await swarm.tasksWhen('ports', isFull);
    const waiting = tasks.filter(({ Node }) => Node === '');
    expect(waiting).toHaveLength(1);
    expect(waiting[0]?.Error).toMatch(/^"no suitable node \(host-mode port already in use on 3 nodes/);
    for (const { Node, Ports } of tasks.filter((task) => task.Node !== '')) {
      expect(Ports).toContain('*:8090->80/tcp');
      const answer = await fetch(`http://${swarm.host(Node).ip}:8090/`);
      expect(await answer.text()).toContain('nginx');
    }
    await swarm.docker('service', 'scale', 'ports=3');
    await swarm.remove('ports');
  });
}
