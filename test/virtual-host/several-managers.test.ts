import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBuildx } from '../hosts/engines.ts';
import { run, startHosts, tryRun, until, type CommandResult, type Hosts } from '../hosts/index.ts';
import { startEtcd, type Etcd } from '../stores/etcd.ts';
import { registerEngines, stopAll } from './managers.ts';
import { startSwarm, type Swarm } from './manager.ts';
import { call } from './raw.ts';
import { startRoundRobin, type RoundRobin } from './round-robin.ts';

const ROUNDS = process.env['SKEP_TEST_LONG'] === '1' ? 60 : 4;
const LONG_MS = 120_000;

let hosts: Hosts;
let etcd: Etcd;
let swarms: Swarm[] = [];
let balancer: RoundRobin;

beforeAll(async () => {
  hosts = await startHosts({ count: 3 });
  etcd = await startEtcd();
  const discovery = `etcd://${etcd.endpoint}`;
  await registerEngines(discovery, hosts);
  swarms = await Promise.all([1, 2, 3].map(() => startSwarm(hosts, { discovery })));
  balancer = await startRoundRobin(swarms.map(({ url }) => Number(new URL(url).port)));
}, LONG_MS);

afterAll(async () => {
  await balancer[Symbol.asyncDispose]();
  await stopAll(swarms);
  await etcd[Symbol.asyncDispose]();
  await hosts.close();
});

/** The docker CLI through the balancer: each of its requests may reach another manager. */
const docker = (...args: string[]): Promise<string> => run('docker', ['-H', balancer.host, ...args]);
const tryDocker = (args: readonly string[], input?: string): Promise<CommandResult> =>
  tryRun('docker', ['-H', balancer.host, ...args], input === undefined ? {} : { input });

function create(url: string, name: string): Promise<{ status: number; message: string }> {
  const body = { Image: 'busybox', Cmd: ['sleep', '1000'] };
  return call(url, 'POST', `/v1.41/containers/create?name=${name}`, { body });
}

async function countNamed(name: string): Promise<number> {
  const lists = await Promise.all(
    [...hosts].map((host) => host.docker('ps', '-aq', '--filter', `name=^/${name}$`)),
  );
  return lists.flatMap((text) => text.split('\n')).filter((id) => id !== '').length;
}

describe('managers without replication behind a balancer', { timeout: LONG_MS }, () => {
  it('are all primaries', async () => {
    for (const swarm of swarms) expect(await swarm.docker('info')).toMatch(/^ ?Role: primary$/m);
  });

  it('run, attach, exec, copy and remove across one another', async () => {
    const one = async (round: number): Promise<void> => {
      const name = `round-${round}`;
      const ran = await tryDocker(
        ['run', '--rm', '-i', 'busybox', 'sh', '-c', `cat; exit ${round % 3}`],
        'in\n',
      );
      expect(ran).toEqual({ code: round % 3, stdout: 'in\n', stderr: '' });
      await docker('run', '-d', '--name', name, 'busybox', 'sleep', '1000');
      expect(await docker('exec', name, 'echo', 'hello')).toBe('hello');
      const execed = await tryDocker(['exec', '-i', name, 'sh', '-c', 'cat; exit 5'], 'through\n');
      expect(execed).toEqual({ code: 5, stdout: 'through\n', stderr: '' });
      expect((await tryDocker(['cp', `${name}:/etc/passwd`, '-'])).code).toBe(0);
      await docker('rm', '-f', name);
      // The name is free for every manager at once.
      await docker('run', '-d', '--name', name, 'busybox', 'sleep', '1000');
      await docker('rm', '-f', name);
    };
    for (let round = 0; round < ROUNDS; round += 2) await Promise.all([one(round), one(round + 1)]);
  });

  it('give a name once, also at the same moment', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const name = `once-${round}`;
      const answers = await Promise.all(swarms.map(({ url }) => create(url, name)));
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
      expect(await countNamed(name)).toBe(1);
    }
    expect(await docker('ps', '-aq', '--filter', 'name=once-')).not.toBe('');
    await docker('container', 'prune', '-f');
  });

  it('rename to a name once', async () => {
    for (const [i, { url }] of swarms.entries()) expect((await create(url, `before-${i}`)).status).toBe(201);
    const renamed = await Promise.all(
      swarms.map(({ url }, i) => call(url, 'POST', `/v1.41/containers/before-${i}/rename?name=after`)),
    );
    expect(renamed.map(({ status }) => status).sort()).toEqual([204, 409, 409]);
    await docker('container', 'prune', '-f');
  });

  it('use what another one has just made: networks, volumes, images', async () => {
    for (let round = 0; round < ROUNDS / 2; round += 1) {
      await docker('network', 'create', `net-${round}`);
      await docker(
        'run',
        '-d',
        '--name',
        `server-${round}`,
        '--network',
        `net-${round}`,
        'busybox',
        'sleep',
        '1000',
      );
      expect(
        await docker(
          'run',
          '--rm',
          '--network',
          `net-${round}`,
          'busybox',
          'ping',
          '-c1',
          '-W5',
          `server-${round}`,
        ),
      ).toContain('1 packets received');
      await docker('volume', 'create', `vol-${round}`);
      await docker('run', '--rm', '-v', `vol-${round}:/v`, 'busybox', 'touch', '/v/file');
      await docker('commit', `server-${round}`, `made-${round}`);
      expect(await docker('run', '--rm', `made-${round}`, 'echo', 'made')).toBe('made');
      await docker('rm', '-f', `server-${round}`);
      await docker('network', 'rm', `net-${round}`);
    }
  });

  it('build with BuildKit, whose connections meet at one engine', async () => {
    const env = { DOCKER_BUILDKIT: '1', DOCKER_CONFIG: (await ensureBuildx()).dockerConfig };
    const input = 'FROM busybox\nRUN echo kit > /kit\n';
    for (let round = 0; round < 2; round += 1) {
      const built = await tryRun('docker', ['-H', balancer.host, 'build', '-t', `kit:${round}`, '-'], {
        env,
        input,
      });
      expect(built.code, built.stderr).toBe(0);
      expect(await docker('run', '--rm', `kit:${round}`, 'cat', '/kit')).toBe('kit');
    }
  });

  it('go on when the store is down, and say so once', async () => {
    await etcd.stop();
    try {
      const [first] = swarms;
      if (!first) throw new Error('no manager');
      expect((await create(first.url, 'without-store')).status).toBe(201);
      expect((await create(first.url, 'without-store')).status).toBe(409);
      expect((await create(first.url, 'without-store-2')).status).toBe(201);
      expect(first.log().match(/cannot be asked for names/g)).toHaveLength(1);
    } finally {
      await etcd.start();
    }
    await until('a warning taken back', 60_000, async () => {
      const [first] = swarms;
      await create(first?.url ?? '', `with-store-${Date.now()}`);
      return first?.log().includes('can be asked for names again') ? true : undefined;
    });
  });
});
