import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHosts, tryRun, until, type Host, type Hosts } from './index.ts';
import { cgroupsOf, listRuns, removeDeadRuns, runName } from './run-folder.ts';
import { isAlive } from './shell.ts';

async function page(host: Host, port: number): Promise<string> {
  return until(`page of ${host.name}`, 10_000, async () => {
    const signal = AbortSignal.timeout(2_000);
    return (await fetch(`http://${host.ip}:${port}/`, { signal })).text();
  });
}

/** How a GET of the engine's address ends within `ms`: its status, or what went wrong. */
async function ping(host: Host, ms: number): Promise<number | string> {
  try {
    const answer = await fetch(`http://${host.address}/_ping`, { signal: AbortSignal.timeout(ms) });
    return answer.status;
  } catch (error) {
    return (error as Error).name;
  }
}

async function linkNames(): Promise<string> {
  return (await tryRun('ip', ['-br', 'link'])).stdout;
}

describe('three hosts', () => {
  let hosts: Hosts;
  beforeAll(async () => {
    hosts = await startHosts({ count: 3, labels: [{ storage: 'ssd' }, {}, { storage: 'disk' }] });
  });
  afterAll(() => hosts.close());

  it('are engines of their own, with names, labels and the same images', async () => {
    const infos = await Promise.all(
      [...hosts].map(async (host) => {
        const answer = await fetch(`http://${host.address}/info`);
        return (await answer.json()) as { ID: string; Name: string; Labels: string[] };
      }),
    );
    expect(infos.map((info) => info.Name)).toEqual(['core-01', 'core-02', 'core-03']);
    expect(infos.map((info) => info.ID)).toEqual([...hosts].map((host) => host.engineId));
    expect(new Set(infos.map((info) => info.ID)).size).toBe(3);
    expect(infos.map((info) => info.Labels)).toEqual([['storage=ssd'], [], ['storage=disk']]);
    const format = '{{.Repository}}:{{.Tag}} {{.ID}}';
    const images = await Promise.all([...hosts].map((host) => host.docker('images', '--format', format)));
    const sorted = images.map((list) => list.split('\n').sort());
    expect(sorted[0]?.map((line) => line.split(' ')[0])).toEqual([
      'alpine:latest',
      'busybox:latest',
      'nginx:latest',
      'redis:latest',
    ]);
    expect(sorted[1]).toEqual(sorted[0]);
    expect(sorted[2]).toEqual(sorted[0]);
  });

  it('serve published ports to this machine and to one another', async () => {
    const [first, second] = [hosts.at(0), hosts.at(1)];
    await first.docker('run', '-d', '--name', 'web', '--hostname', 'web-host', '-p', '80:80', 'nginx');
    expect(await page(first, 80)).toContain('web-host');
    const fetched = await second.docker('run', '--rm', 'busybox', 'wget', '-qO-', `http://${first.ip}/`);
    expect(fetched).toContain('web-host');
    await first.docker('run', '-d', '--name', 'cache', 'redis');
    const pong = await until('redis stand-in', 5_000, async () => {
      const answer = await first.docker('exec', 'cache', 'redis-cli', 'ping');
      return answer.includes('PONG') ? answer : undefined;
    });
    expect(pong.trim()).toBe('PONG');
    await first.docker('stop', 'web', 'cache');
    const states = await first.docker('ps', '-a', '--format', '{{.Names}} {{.Status}}');
    expect(states).toMatch(/web Exited \(0\)/);
  });

  it('hang and go on', async () => {
    const host = hosts.at(1);
    host.pause();
    const socket = connect(2375, host.ip);
    await once(socket, 'connect'); // the kernel still accepts
    socket.destroy();
    expect(await ping(host, 300)).toBe('TimeoutError');
    host.resume();
    expect(await ping(host, 5_000)).toBe(200);
  });

  it('lose their link and get it back, without the engine ending', async () => {
    const host = hosts.at(1);
    const pid = host.daemonPid;
    await host.cutLink();
    expect(await ping(host, 500)).not.toBe(200);
    await host.docker('version');
    await host.healLink();
    await until('link healed', 10_000, async () => ((await ping(host, 1_000)) === 200 ? true : undefined));
    expect(host.daemonPid).toBe(pid);
  });

  it('keep containers over a killed daemon, and their identity over a power cycle', async () => {
    const host = hosts.at(2);
    const id = await host.docker(
      'run',
      '-d',
      '--name',
      'stays',
      '--stop-signal',
      'KILL',
      'busybox',
      'sleep',
      '600',
    );
    await host.kill();
    expect(await ping(host, 1_000)).toBe('TypeError');
    expect(await host.exec('ps', 'ax')).toContain('sleep 600');
    await host.start();
    await host.docker('start', 'stays');
    const before = host.engineId;
    await host.powerOff();
    expect(host.initPid).toBeUndefined();
    expect(await ping(host, 500)).not.toBe(200);
    await host.powerOn();
    expect(host.engineId).toBe(before);
    expect(await ping(host, 5_000)).toBe(200);
    expect(await host.docker('inspect', '--format', '{{.Id}} {{.State.Running}}', 'stays')).toBe(
      `${id} false`,
    );
  });

  it('can have another ID, or that of a twin', async () => {
    const [first, third] = [hosts.at(0), hosts.at(2)];
    const before = third.engineId;
    await third.changeIdentity();
    expect(third.engineId).not.toBe(before);
    await third.changeIdentity(first);
    expect(third.engineId).toBe(first.engineId);
  });
});

describe('newer engines', () => {
  it('run beside the old one, behind TLS', async () => {
    await using hosts = await startHosts({
      count: 3,
      prefix: 'mixed',
      engine: ['20.10', '26.1', '28.5'],
      tls: true,
    });
    const versions = [...hosts].map((host) => host.engineVersion.split('.').slice(0, 2).join('.'));
    expect(versions).toEqual(['20.10', '26.1', '28.5']);
    for (const host of hosts) {
      const { ca, cert, key } = host.tls ?? { ca: '', cert: '', key: '' };
      const files = ['--tlsverify', `--tlscacert=${ca}`, `--tlscert=${cert}`, `--tlskey=${key}`];
      const args = ['-H', `tcp://${host.address}`, ...files, 'run', '--rm', 'busybox', 'echo', host.name];
      const env = { DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined };
      expect((await tryRun('/usr/bin/docker', args, { env })).stdout).toBe(`${host.name}\n`);
      expect(await ping(host, 2_000)).toBe(400); // plain HTTP on a TLS port
    }
    const again = hosts.at(2).engineId;
    await hosts.at(2).changeIdentity();
    expect(hosts.at(2).engineId).not.toBe(again);
  });
});

describe('the end', () => {
  it('leaves nothing of the hosts', async () => {
    const hosts = await startHosts({ count: 2 });
    const pids = [...hosts].flatMap((host) => [host.initPid ?? 0, host.daemonPid ?? 0]);
    await hosts.at(0).docker('run', '-d', 'busybox', 'sleep', '600');
    expect(cgroupsOf(hosts.runId)).not.toEqual([]);
    expect(await linkNames()).toContain(`${runName(hosts.runId)}@`);
    await hosts.close();
    expect(pids.filter((pid) => isAlive(pid))).toEqual([]);
    expect(await linkNames()).not.toContain(`${runName(hosts.runId)}@`);
    expect(listRuns().map((run) => run.id)).not.toContain(hosts.runId);
    expect(cgroupsOf(hosts.runId)).toEqual([]);
  });

  it.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)('comes with the owner, ended by %s', async (signal) => {
    const program = `import { startHosts } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
      const hosts = await startHosts({ count: 1, images: false });
      hosts.at(0).pause();
      console.log(JSON.stringify([hosts.runId, hosts.at(0).initPid, hosts.at(0).daemonPid]));
      setInterval(() => undefined, 1000);`;
    const args = ['--input-type=module', '-e', program];
    const owner = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(owner, 'exit');
    const [line] = (await once(owner.stdout, 'data')) as [Buffer];
    const [runId = 0, ...pids] = JSON.parse(line.toString()) as number[];
    expect(pids.every((pid) => isAlive(pid))).toBe(true);
    owner.kill(signal);
    const [, endedBy] = (await exit) as [number | null, string];
    expect(endedBy).toBe(signal);
    for (const pid of pids) await until(`${pid} gone`, 5_000, () => (isAlive(pid) ? undefined : true));
    if (signal === 'SIGKILL') removeDeadRuns();
    expect(listRuns().map((run) => run.id)).not.toContain(runId);
  });
});
