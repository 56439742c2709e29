import { expect, test } from 'vitest';
import { eventually, stateOf, type ServiceSwarm, type TaskRow } from './service-swarm.ts';

const SLEEP = ['busybox', 'sleep', '1000'];
const AT_ONCE = ['--update-monitor', '10ms'];

/** Nodes that change under their tasks. Each test leaves them as they were. */
export function nodeTests(get: () => ServiceSwarm): void {
  const nodesOf = (tasks: readonly TaskRow[]): string[] => tasks.map(({ Node }) => Node).sort();

  test('labels of nodes bring tasks and send them away', async () => {
    const swarm = get();
    const label = (change: string, value: string, node: string): Promise<string> =>
      swarm.docker('node', 'update', change, value, node);
    await swarm.create('there', ['-d', '--constraint', 'node.labels.disk==ssd'], ...SLEEP);
    await swarm.create(
      'each',
      ['--mode', 'global', ...AT_ONCE, '--constraint', 'node.labels.disk!=hdd'],
      ...SLEEP,
    );
    await swarm.running('each', 3);
    const [waiting] = await swarm.tasks('there');
    expect(waiting && stateOf(waiting)).toBe('Pending');
    await label('--label-add', 'disk=ssd', 'core-02');
    expect(nodesOf(await swarm.running('there', 1))).toEqual(['core-02']);
    await label('--label-add', 'disk=ssd', 'core-03');
    await label('--label-add', 'disk=hdd', 'core-02');
    await swarm.tasksWhen('there', ([one]) => one?.Node === 'core-03' && stateOf(one) === 'Running');
    expect(nodesOf(await swarm.running('each', 2))).toEqual(['core-01', 'core-03']);
    await label('--label-rm', 'disk', 'core-02');
    expect(nodesOf(await swarm.running('each', 3))).toEqual(['core-01', 'core-02', 'core-03']);
    await label('--label-rm', 'disk', 'core-03');
    await swarm.remove('there', 'each');
  });

  test('tasks are spread over what a label says', async () => {
    const swarm = get();
    for (const [node, zone] of [
      ['core-01', 'a'],
      ['core-02', 'a'],
      ['core-03', 'b'],
    ] as const)
      await swarm.docker('node', 'update', '--label-add', `zone=${zone}`, node);
    const spread = ['--placement-pref', 'spread=node.labels.zone', '--replicas', '6'];
    await swarm.create('spread', [...spread, ...AT_ONCE], ...SLEEP);
    const nodes = nodesOf(await swarm.running('spread', 6));
    expect(nodes.filter((node) => node === 'core-03')).toHaveLength(3);
    await swarm.remove('spread');
  });

  test('a drained node is emptied, a paused one keeps what it has', async () => {
    const swarm = get();
    const set = (availability: string, node: string): Promise<string> =>
      swarm.docker('node', 'update', '--availability', availability, node);
    await swarm.create('all', ['--mode', 'global', ...AT_ONCE], ...SLEEP);
    await swarm.create('some', ['--replicas', '3', '--replicas-max-per-node', '2', ...AT_ONCE], ...SLEEP);
    const before = await swarm.running('some', 3);
    expect(nodesOf(before)).toEqual(['core-01', 'core-02', 'core-03']);
    await set('drain', 'core-03');
    expect(nodesOf(await swarm.running('all', 2))).toEqual(['core-01', 'core-02']);
    expect(nodesOf(await swarm.running('some', 3))).not.toContain('core-03');
    await eventually('nothing runs there', async () => {
      return (await swarm.host('core-03').docker('ps', '-q')) === '' || undefined;
    });
    const there = await swarm.docker('node', 'ps', 'core-03', '--format', '{{.Name}} {{.DesiredState}}');
    expect(there).toMatch(/^some\.\d Shutdown$/m);
    expect(await swarm.docker('node', 'ls', '-f', 'name=core-03', '--format', '{{.Availability}}')).toBe(
      'Drain',
    );
    await set('active', 'core-03');
    await swarm.running('all', 3);

    await set('pause', 'core-02');
    await swarm.docker('service', 'scale', 'some=4');
    const four = await swarm.running('some', 4);
    const kept = before.filter(({ Node }) => Node !== 'core-03').map(({ ID }) => ID);
    expect(four.map(({ ID }) => ID)).toEqual(expect.arrayContaining(kept));
    await swarm.running('all', 3);
    await set('active', 'core-02');
    expect(await swarm.docker('node', 'ps', 'self', '-f', 'name=all', '-q')).not.toBe('');
    await swarm.remove('all', 'some');
  });

  test('as many former tasks are kept as the swarm says', async () => {
    const swarm = get();
    await swarm.docker('swarm', 'update', '--task-history-limit', '2');
    await swarm.create('short', ['-d', '--restart-delay', '0s'], 'busybox', 'false');
    const first = await swarm.tasksWhen('short', (tasks) => tasks.length >= 2);
    await eventually('the first is forgotten', async () => {
      const ids = (await swarm.tasks('short')).map(({ ID }) => ID);
      return (ids.length > 0 && !ids.some((id) => first.some(({ ID }) => ID === id))) || undefined;
    });
    await swarm.update('short', '--restart-delay', '1h', '-d');
    await eventually('two are left', async () => (await swarm.tasks('short')).length <= 2 || undefined);
    await swarm.remove('short');
    await swarm.docker('swarm', 'update', '--task-history-limit', '5');
    for (const host of swarm.hosts)
      await eventually(
        `${host.name} is clear`,
        async () => (await host.docker('ps', '-aq', '-f', 'name=short')) === '' || undefined,
      );
  });

  test('the logs of a frozen node keep nobody waiting', async () => {
    const swarm = get();
    const talk = ['busybox', 'sh', '-c', 'echo here; exec sleep 1000'];
    await swarm.create('still', ['--mode', 'global', ...AT_ONCE], ...talk);
    const logs = (): ReturnType<ServiceSwarm['swarmd']['tryDocker']> =>
      swarm.swarmd.tryDocker(['service', 'logs', '--raw', 'still'], { signal: AbortSignal.timeout(30_000) });
    await eventually('all lines', async () => (await logs()).stdout === 'here\nhere\nhere\n' || undefined);
    swarm.host('core-03').pause();
    try {
      const { stdout, stderr } = await logs();
      expect(stdout).toBe('here\nhere\n');
      expect(stderr).toMatch(
        /incomplete log stream.*: node \w{25} (disconnected unexpectedly|is not available)/,
      );
    } finally {
      swarm.host('core-03').resume();
    }
    await eventually('it is back', async () => {
      return (
        (await swarm.docker('node', 'ls', '--format', '{{.Status}}')) === 'Ready\nReady\nReady' || undefined
      );
    });
    await swarm.running('still', 3);
    await swarm.remove('still');
  });
}
