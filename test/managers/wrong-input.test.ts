import { copyFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Host } from '../hosts/index.ts';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { Swarmd } from '../swarm-mode/swarmd.ts';
import { ManagerSwarm } from './manager-swarm.ts';

/** Two managers over an etcd of the user's, and a third host that is in no swarm. Each test goes on from the former. */
const MINUTES_MS = 240_000;

let swarm: ManagerSwarm;
/** The swarm of the third host alone, and a host that has an old backup of it. */
let [lone, revenant]: (Swarmd | undefined)[] = [];

beforeAll(async () => {
  swarm = await ManagerSwarm.start(['20.10', '20.10', '28.5'], { managers: 2, joined: 2 });
}, MINUTES_MS);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await lone?.kill();
  await revenant?.kill();
  await swarm?.[Symbol.asyncDispose]();
});

const nameOf = (index: number): string => swarm.hosts.at(index).name;
const stateOf = (one: Swarmd | Host): Promise<string> =>
  one.docker('info', '--format', '{{.Swarm.LocalNodeState}}');
const listed = (): Promise<string> =>
  swarm.at(0).docker('node', 'ls', '--format', '{{.ID}} {{.ManagerStatus}}');

/** What the third host is told that joins the swarm with a token; it is in none afterwards. */
async function refusal(token: string): Promise<string> {
  const joiner = swarm.at(2);
  const { code, stderr } = await joiner.tryDocker([
    'swarm',
    'join',
    '--token',
    token,
    `${swarm.hosts.at(0).ip}:2377`,
  ]);
  expect(code).not.toBe(0);
  expect(await stateOf(joiner)).toBe('inactive');
  return stderr;
}

test(
  'tokens of another swarm, and tokens of yesterday, let nobody in and change nothing',
  async () => {
    const before = await listed();
    const engine = swarm.hosts.at(2);
    await engine.docker('swarm', 'init', '--advertise-addr', engine.ip);
    const foreign = await engine.docker('swarm', 'join-token', '-q', 'manager');
    await engine.docker('swarm', 'leave', '--force');
    expect(await refusal(foreign)).toContain('remote CA does not match fingerprint');
    const old = await swarm.at(0).docker('swarm', 'join-token', '-q', 'worker');
    await swarm.at(1).docker('swarm', 'join-token', '--rotate', 'worker');
    expect(await refusal(old)).toContain('A valid join token is necessary to join this cluster');
    // The store of the third host's swarmd holds this swarm.
    const made = await swarm.at(2).tryDocker(['swarm', 'init', '--advertise-addr', engine.ip]);
    expect(made.stderr).toContain('holds another swarm');
    expect(await stateOf(swarm.at(2))).toBe('inactive');
    expect(await listed()).toBe(before);
  },
  MINUTES_MS,
);

test(
  'a stock worker is not promoted, and the error says what it lacks',
  async () => {
    await swarm.at(2).kill();
    const worker = swarm.hosts.at(2);
    const token = await swarm.at(0).docker('swarm', 'join-token', '-q', 'worker');
    await worker.docker('swarm', 'join', '--token', token, `${swarm.hosts.at(1).ip}:2377`);
    await swarm.nodes(1, (rows) => rows.length === 3 && rows.every(({ Status }) => Status === 'Ready'));
    for (const index of [0, 1]) {
      const refused = await swarm.at(index).tryDocker(['node', 'promote', nameOf(2)]);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain('no swarmd is heard of on its host');
    }
    expect(await swarm.at(0).docker('node', 'inspect', '--format', '{{.Spec.Role}}', nameOf(2))).toBe(
      'worker',
    );
    await worker.docker('swarm', 'leave');
    await swarm.at(0).docker('node', 'rm', '--force', nameOf(2));
  },
  MINUTES_MS,
);

test(
  'a manager that was removed while it was off does nothing when it returns, says why, and can join again',
  async () => {
    const host = swarm.hosts.at(1);
    await swarm.at(1).kill();
    await host.powerOff();
    const refused = await swarm.at(0).tryDocker(['node', 'rm', '--force', host.name]);
    expect(refused.stderr).toContain('is a cluster manager');
    await swarm.at(0).docker('node', 'demote', host.name);
    await eventually(
      'it manages no more',
      async () => (await swarm.at(0).tryDocker(['node', 'rm', '--force', host.name])).code === 0 || undefined,
    );
    const before = await listed();
    await host.powerOn();
    await swarm.at(1).start();
    const info = await swarm.at(1).docker('info', '--format', '{{json .Warnings}}');
    expect(info).toContain('this host was removed from its swarm');
    expect(swarm.at(1).log).toContain('this host was removed from its swarm');
    for (const args of [
      ['node', 'ls'],
      ['config', 'create', 'late', '/etc/hostname'],
    ])
      expect((await swarm.at(1).tryDocker(args)).stderr).toContain('this host was removed from its swarm');
    expect(await listed()).toBe(before);
    await swarm.at(1).docker('swarm', 'leave', '--force');
    expect(await swarm.join(swarm.at(1), 'manager')).toBe('This node joined a swarm as a manager.');
    await swarm.nodes(
      1,
      (rows) => rows.length === 2 && rows.every(({ ManagerStatus }) => ManagerStatus !== ''),
    );
  },
  MINUTES_MS,
);

test(
  'an old backup that is restored beside the living swarm stays asleep',
  async () => {
    const [there, here] = [swarm.hosts.at(2), swarm.hosts.at(1)];
    await swarm.at(1).docker('swarm', 'leave', '--force');
    const home = (lone = await new Swarmd(there, { state: 'lone' }).start());
    await home.docker('swarm', 'init', '--advertise-addr', there.ip);
    const file = 'old.db';
    expect(await home.command('backup', there.diskFolder(file))).toMatchObject({ code: 0 });
    await home.docker('config', 'create', 'since-then', '/etc/hostname');
    const onDisk = (host: Host): string => `/proc/${host.initPid}/root${host.diskFolder(file)}`;
    copyFileSync(onDisk(there), onDisk(here));
    await swarm.at(1).stop();
    const other = (revenant = new Swarmd(here, { state: 'old' }));
    expect(await other.command('restore', here.diskFolder(file))).toMatchObject({ code: 0 });
    for (let turn = 0; turn < 2; turn += 1) {
      await other.start();
      const words = `its manager at ${there.ip}:2377 answers`;
      expect(await other.docker('info', '--format', '{{json .Warnings}}')).toContain(words);
      expect((await other.tryDocker(['node', 'ls'])).stderr).toContain(words);
      expect(await stateOf(here)).toBe('inactive');
      if (turn === 0) await other.stop();
    }
    expect(await home.docker('node', 'ls', '--format', '{{.Status}} {{.ManagerStatus}}')).toBe(
      'Ready Leader',
    );
    expect(await home.docker('config', 'ls', '--format', '{{.Name}}')).toBe('since-then');
    await other.docker('swarm', 'leave', '--force');
    expect(await other.docker('info', '--format', '{{json .Warnings}}')).not.toContain('answers');
  },
  MINUTES_MS,
);
