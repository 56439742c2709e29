import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { SYSTEM_TIMES } from '../../src/base/clock.ts';
import { LocalMember, listMembers, USUAL_PORTS } from '../../src/ensemble/index.ts';
import { createCluster, findCluster } from '../../src/store/index.ts';
import { until } from '../hosts/index.ts';
import { startEtcd } from '../stores/etcd.ts';
import { asked, firstFolder, memberFolder, serving, startMember } from './member-place.ts';

const MAIN = fileURLToPath(new URL('./member-main.ts', import.meta.url));
const startTime = (pid: number): string =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19] ?? '';

const SOON_MS = 30_000;

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}/cmdline`) && argumentsOf(pid) !== '';
const argumentsOf = (pid: number): string => readFileSync(`/proc/${pid}/cmdline`, 'utf8');

it('runs beside the etcd of the distribution, in a folder of its own, and keeps what it was given', async () => {
  const other = await startEtcd();
  onTestFinished(() => other[Symbol.asyncDispose]());
  expect([2379, 2380]).not.toContain(USUAL_PORTS.client);
  expect([2379, 2380]).not.toContain(USUAL_PORTS.peer);
  const { folder } = await firstFolder();
  const env = { ETCD_LISTEN_CLIENT_URLS: `http://${other.endpoint}`, ETCD_NAME: 'theirs' };
  Object.assign(process.env, env);
  onTestFinished(() => Object.keys(env).forEach((name) => delete process.env[name]));
  const { member } = await serving(folder);
  expect(statSync(folder.path).mode & 0o777).toBe(0o700);
  expect(statSync(folder.certificates.path('server', 'key')).mode & 0o777).toBe(0o600);
  const client = member.client();
  onTestFinished(() => client.close());
  const { host, ports } = member.config;
  expect(await listMembers(client, asked())).toEqual([
    {
      id: expect.stringMatching(/^[0-9a-f]+$/) as string,
      name: 'one',
      isLearner: false,
      clientUrls: [`https://${host}:${ports.client}`],
      peerUrls: [`https://${host}:${ports.peer}`],
    },
  ]);
  await createCluster(client, '/skep', 'swarm1', asked());
  await member.stop();
  const again = await serving(folder);
  const other2 = again.member.client();
  onTestFinished(() => other2.close());
  expect(await findCluster(other2, '/skep', asked())).toBe('swarm1');
});

it('is started again when it dies, and says so', async () => {
  const { folder } = await firstFolder();
  const { member, lines } = await serving(folder);
  const client = member.client();
  onTestFinished(() => client.close());
  await createCluster(client, '/skep', 'swarm1', asked());
  const pid = member.pid ?? expect.fail();
  process.kill(pid, 'SIGKILL');
  await until('another one runs', SOON_MS, () =>
    member.pid !== undefined && member.pid !== pid ? true : undefined,
  );
  await member.serves(asked());
  expect(await findCluster(client, '/skep', asked())).toBe('swarm1');
  expect(lines.join('')).toMatch(/msg="etcd has ended; it is started again" why="ended by SIGKILL"/);
});

it('ends with its swarmd, however that ends; one that is left is ended by the next', async () => {
  const { folder } = await firstFolder();
  const child = spawn(process.execPath, [MAIN, folder.path], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const pid = Number(said.toString());
  expect(argumentsOf(pid)).toContain(folder.data);
  const noted = readFileSync(folder.pidFile, 'utf8');
  child.kill('SIGKILL');
  await until('etcd has ended too', SOON_MS, () => (isAlive(pid) ? undefined : true));
  // One that nobody ended: a process with the same number, start and argument.
  const left = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', `--data-dir=${folder.data}`], {
    stdio: 'ignore',
  });
  onTestFinished(() => void left.kill('SIGKILL'));
  const leftPid = left.pid ?? expect.fail();
  const ended = once(left, 'close');
  const mark = { ...(JSON.parse(noted) as object), pid: leftPid, startedAt: startTime(leftPid) };
  writeFileSync(folder.pidFile, JSON.stringify(mark));
  await until('it has its arguments', SOON_MS, () =>
    argumentsOf(leftPid).includes(folder.data) ? true : undefined,
  );
  const { member } = await serving(folder);
  await ended;
  await member.stop();
  expect(existsSync(folder.pidFile)).toBe(false);
});

it('leaves a process alone that has the number of an etcd that ended', async () => {
  const { folder } = await firstFolder();
  folder.make();
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  onTestFinished(() => void other.kill('SIGKILL'));
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  for (const startedAt of ['1', startTime(other.pid ?? 0)]) {
    writeFileSync(folder.pidFile, JSON.stringify({ pid: other.pid, startedAt, boot }));
    const { member } = await serving(folder);
    await member.stop();
    expect(other.exitCode ?? other.signalCode).toBeNull();
  }
});

it('says why it can not start, tries again, and does when it can', async () => {
  const { folder } = await firstFolder();
  const config = folder.read() ?? expect.fail();
  const taken = createServer((connection) => connection.destroy());
  await new Promise<void>((done) => taken.listen(config.ports.client, '127.0.0.1', done));
  onTestFinished(() => void taken.close());
  const { member, lines } = await startMember(folder);
  await until('it says why', SOON_MS, () =>
    lines.some((line) => line.includes('address already in use')) ? true : undefined,
  );
  await expect(member.serves(asked(200))).rejects.toMatchObject({ code: 'unavailable' });
  await new Promise((done) => taken.close(done));
  await member.serves(asked());
});

it('refuses a folder without a member', () => {
  const folder = memberFolder();
  const log = { info: () => undefined } as never;
  expect(
    () =>
      new LocalMember({ folder, program: { path: '/bin/true', version: '3.4.0' }, times: SYSTEM_TIMES, log }),
  ).toThrow(/there is no member of an etcd/);
});

it('goes to another address with certificates for it', async () => {
  const { folder } = await firstFolder();
  const { member } = await serving(folder);
  const client = member.client();
  onTestFinished(() => client.close());
  await createCluster(client, '/skep', 'swarm1', asked());
  await member.move({ host: '127.0.0.2', listen: '127.0.0.2' });
  await member.serves(asked());
  expect(await findCluster(client, '/skep', asked())).toBe('swarm1');
  const there = member.clientOf([`127.0.0.2:${member.config.ports.client}`]);
  onTestFinished(() => there.close());
  expect(await findCluster(there, '/skep', asked())).toBe('swarm1');
});

it('is gone with its folder', async () => {
  const { folder } = await firstFolder();
  const { member } = await serving(folder);
  await member.stop();
  folder.wipe();
  expect(existsSync(folder.path)).toBe(false);
  expect(folder.hasMember).toBe(false);
});
