import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect as connectPlainly } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import { hostEnvironment, run, until, type Host } from '../hosts/index.ts';
import { ensureEtcd } from '../stores/etcd.ts';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { Swarmd } from '../swarm-mode/swarmd.ts';
import { ManagerSwarm } from './manager-swarm.ts';
import { expectClosed, memberFolder } from './member-ports.ts';

/** Who gets into an etcd of the managers' own, and who does not; the third host has no etcd. Each test goes on from the former. */
const MINUTES_MS = 240_000;
const SECRET = 'nobody reads these words at rest';

let swarm: ManagerSwarm;
let without: Swarmd;
let key = '';

beforeAll(async () => {
  const engines = ['20.10', '20.10', '20.10'] as const;
  swarm = await ManagerSwarm.start(engines, { managers: 2, joined: 1, own: true });
  await swarm.at(2).stop();
  without = await new Swarmd(swarm.hosts.at(2)).start();
}, MINUTES_MS);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await without?.kill();
  await swarm?.[Symbol.asyncDispose]();
});

/** Runs a program on a host until the returned function is called, or this process ends. */
function startProgram(host: Host, ...command: string[]): () => Promise<void> {
  const dying = ['--pdeathsig', 'KILL'];
  const child = spawn('setpriv', [...dying, 'nsenter', ...host.entry, 'setpriv', ...dying, ...command], {
    stdio: 'ignore',
    env: hostEnvironment(),
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return () => {
    child.kill('SIGKILL');
    return ended;
  };
}

function listens(port: number): Promise<true | undefined> {
  const { promise, resolve } = Promise.withResolvers<true | undefined>();
  const socket = connectPlainly({ host: swarm.hosts.at(1).ip, port });
  socket.once('connect', () => resolve(true)).once('error', () => resolve(undefined));
  return promise.finally(() => socket.destroy());
}

test(
  'a host without etcd is told which package to install, and nothing changes',
  async () => {
    const token = await swarm.at(0).docker('swarm', 'join-token', '-q', 'manager');
    const join = ['swarm', 'join', '--token', token, `${swarm.hosts.at(0).ip}:2377`];
    const refused = await without.tryDocker(join);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('apt-get install etcd-server');
    expect(await without.docker('info', '--format', '{{.Swarm.LocalNodeState}}')).toBe('inactive');
    expect(await swarm.nodes(0, () => true)).toHaveLength(1);
    expect(memberFolder(swarm, 0).hasMember).toBe(false);
    expect(existsSync(`${swarm.at(0).stateDirHere}/state.db`)).toBe(true);

    await swarm.join(without, 'worker');
    const promoted = await swarm.at(0).tryDocker(['node', 'promote', swarm.hosts.at(2).name]);
    expect(promoted.stderr).toContain('apt-get install etcd-server');
    expect(memberFolder(swarm, 0).hasMember).toBe(false);
  },
  MINUTES_MS,
);

test(
  'a port that another process has is named, and nothing changes',
  async () => {
    const listen = "require('net').createServer().listen(2388,'0.0.0.0')";
    const end = startProgram(swarm.hosts.at(1), process.execPath, '-e', listen);
    onTestFinished(end);
    await until('the port is taken', 10_000, () => listens(2388));
    const token = await swarm.at(0).docker('swarm', 'join-token', '-q', 'manager');
    const join = ['swarm', 'join', '--token', token, `${swarm.hosts.at(0).ip}:2377`];
    const refused = await swarm.at(1).tryDocker(join);
    await end();
    expect(refused.stderr).toContain('port 2388 of this host');
    expect(memberFolder(swarm, 0).hasMember).toBe(false);
  },
  MINUTES_MS,
);

test(
  'a state that is locked moves locked, beside an etcd that the host runs for others',
  async () => {
    const bin = await ensureEtcd('3.4');
    const { host } = swarm.at(1);
    const others = ['--data-dir', host.diskFolder('others-etcd')];
    onTestFinished(startProgram(host, join(bin, 'etcd'), ...others));
    const others2379 = (...args: string[]): Promise<string> =>
      run('nsenter', [...host.entry, join(bin, 'etcdctl'), '--endpoints', 'http://127.0.0.1:2379', ...args], {
        env: { ...hostEnvironment(), ETCDCTL_API: '3' },
      });
    await until('it answers', 20_000, () => others2379('put', 'theirs', 'kept').catch(() => undefined));

    const made = await swarm.at(0).tryDocker(['secret', 'create', 'words', '-'], { input: SECRET });
    expect(made).toMatchObject({ code: 0 });
    const said = await swarm.at(0).docker('swarm', 'update', '--autolock=true');
    key = /SWMKEY-1-[A-Za-z0-9+/]{43}/.exec(said)?.[0] ?? expect.fail(said);
    expect(await swarm.join(swarm.at(1), 'manager')).toContain('This node joined a swarm as a manager.');
    expect(await swarm.at(1).docker('secret', 'ls', '--format', '{{.Name}}')).toBe('words');
    expect(await swarm.at(1).docker('swarm', 'unlock-key', '-q')).toBe(key);
    const values = await swarm.etcdctl(1, 'get', '--prefix', '/skep/');
    expect(values.length).toBeGreaterThan(1000);
    for (const words of [SECRET, 'PRIVATE KEY', 'SWMTKN']) expect(values).not.toContain(words);
    expect(await others2379('get', '--prefix', '', '--keys-only')).toBe('theirs\n');
    expect(await others2379('get', 'theirs', '--print-value-only')).toBe('kept');
  },
  MINUTES_MS,
);

test(
  'a worker’s certificate opens neither port of a member, nor does none',
  async () => {
    await expectClosed(swarm, 0, { worker: 2 });
  },
  MINUTES_MS,
);

test(
  'managers with an etcd of their own start locked',
  async () => {
    for (const index of [0, 1]) await swarm.at(index).stop();
    for (const index of [0, 1]) await swarm.at(index).start();
    for (const index of [0, 1])
      await eventually('it is unlocked', async () => {
        const { code, stderr } = await swarm.at(index).tryDocker(['swarm', 'unlock'], { input: `${key}\n` });
        return code === 0 || stderr.includes('not locked') ? true : undefined;
      });
    await swarm.nodes(1, (rows) => rows.filter(({ ManagerStatus }) => ManagerStatus !== '').length === 2);
    await eventually('the secret is there', async () =>
      (await swarm.at(1).docker('secret', 'ls', '--format', '{{.Name}}')) === 'words' ? true : undefined,
    );
  },
  MINUTES_MS,
);
