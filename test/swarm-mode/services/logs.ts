import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { noDockerConfig, until } from '../../hosts/index.ts';
import { eventually, type ServiceSwarm } from './service-swarm.ts';

const WORDS = ['first', 'second', 'third'];

/** `docker service logs`. */
export function logTests(get: () => ServiceSwarm): void {
  test.concurrent('the lines of all tasks are shown, or some of them', async () => {
    const swarm = get();
    const talk = 'echo first >&2; sleep 0.3; echo second; echo third; exec sleep 1000';
    const spread = ['--replicas', '3', '--replicas-max-per-node', '1', '--restart-delay', '100ms'];
    await swarm.create('talk', [...spread, '--update-monitor', '10ms'], 'busybox', 'sh', '-c', talk);
    const tasks = await swarm.running('talk', 3);
    const [one] = tasks;
    const logs = (...options: string[]): Promise<string[]> => linesOf(swarm, [...options, 'talk']);
    await eventually('all lines', async () => (await logs()).length === 9 || undefined);
    const named = tasks.flatMap(({ Name, ID, Node }) =>
      WORDS.map((word) => `${Name}.${ID.slice(0, 12)}@${Node}    | ${word}`),
    );
    expect((await logs()).sort()).toEqual(named.sort());
    expect(await logs('--raw', '--tail', '1')).toEqual(['third', 'third', 'third']);
    expect(await logs('--tail', '0')).toEqual([]);
    const times = await logs('--raw', '-t', '--tail', '1');
    const stamps = times.map((line) => line.split(' ')[0] ?? '').sort();
    for (const stamp of stamps) expect(stamp).toMatch(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/);
    expect(await logs('--since', new Date(Date.now() + 60_000).toISOString())).toEqual([]);
    expect(await logs('--raw', '--since', stamps[0] ?? '')).toContain('third');
    expect((await linesOf(swarm, ['--raw', one?.ID ?? ''])).sort()).toEqual(WORDS);
    expect((await logs('--no-resolve', '--tail', '1')).join()).not.toContain('talk.');

    // A former task's lines stay while its container does.
    if (one) await swarm.host(one.Node).docker('kill', `${one.Name}.${one.ID}`);
    await swarm.tasksWhen('talk', (all) => all.length === 4);
    await swarm.running('talk', 3);
    await eventually('the new task’s too', async () => (await logs('--raw')).length === 12 || undefined);
    await swarm.remove('talk');
  });

  test.concurrent('lines are followed as they come, those of later tasks too', async () => {
    const swarm = get();
    await swarm.create('tick', ['-d'], 'busybox', 'sh', '-c', 'while :; do echo $HOSTNAME; sleep 0.2; done');
    await swarm.running('tick', 1);
    const env = {
      ...process.env,
      DOCKER_HOST: `unix://${swarm.swarmd.socket}`,
      DOCKER_CONFIG: noDockerConfig,
    };
    const child = spawn('/usr/bin/docker', ['service', 'logs', '-f', '--raw', '--tail', '1', 'tick'], {
      env,
    });
    try {
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const speakers = (): number => new Set(said.split('\n').slice(0, -1)).size;
      await until('lines of one', 20_000, () => said.split('\n').length > 3 || undefined);
      expect(speakers()).toBe(1);
      await swarm.docker('service', 'scale', '-d', 'tick=2');
      await until('lines of two', 20_000, () => speakers() === 2 || undefined);
    } finally {
      child.kill('SIGKILL');
    }
    await swarm.remove('tick');
  });

  test.concurrent('a terminal’s lines are bare', async () => {
    const swarm = get();
    await swarm.create(
      'term',
      ['-t', '--update-monitor', '10ms'],
      'busybox',
      'sh',
      '-c',
      'tty; exec sleep 1000',
    );
    await eventually('its line', async () => {
      const [line] = await linesOf(swarm, ['--raw', 'term']);
      return line?.startsWith('/dev/pts/') || undefined;
    });
    await swarm.remove('term');
  });
}

/** What `docker service logs` says on both streams. */
async function linesOf(swarm: ServiceSwarm, args: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await swarm.swarmd.tryDocker(['service', 'logs', ...args]);
  if (code !== 0) throw new Error(stderr);
  return `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
}
