import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { ManagerSwarm } from './manager-swarm.ts';

/** Two managers, and a third host that joins them, over an etcd of the user's, with a lock. Each test goes on from the former. */
const MINUTES_MS = 240_000;
const SECRET = 'nobody reads these words at rest';

let swarm: ManagerSwarm;
let key = '';

beforeAll(async () => {
  swarm = await ManagerSwarm.start(['20.10', '20.10', '20.10'], { managers: 2 });
}, MINUTES_MS);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

const keyIn = (said: string): string => /SWMKEY-1-[A-Za-z0-9+/]{43}/.exec(said)?.[0] ?? expect.fail(said);
const stateOf = (index: number): Promise<string> =>
  swarm.at(index).docker('info', '--format', '{{.Swarm.LocalNodeState}}');
const unlock = (index: number, given: string): Promise<{ code: number; stderr: string }> =>
  swarm.at(index).tryDocker(['swarm', 'unlock'], { input: `${given}\n` });

async function makeSecret(index: number, name: string): Promise<void> {
  const made = await swarm.at(index).tryDocker(['secret', 'create', name, '-'], { input: SECRET });
  expect(made).toMatchObject({ code: 0, stderr: '' });
}

async function hasSecret(index: number, name: string): Promise<void> {
  await eventually(`host ${index} has the secret ${name}`, async () => {
    const names = await swarm.at(index).docker('secret', 'ls', '--format', '{{.Name}}');
    return names.split('\n').includes(name) || undefined;
  });
}

test(
  'a swarm of several managers is locked through one that follows, while all go on',
  async () => {
    await makeSecret(0, 'before');
    const values = async (): Promise<string> =>
      (await swarm.etcd?.etcdctl('get', '--prefix', '/test/')) ?? '';
    expect(await values()).toContain(SECRET);
    key = keyIn(await swarm.at(1).docker('swarm', 'update', '--autolock=true'));
    expect(await swarm.at(0).docker('swarm', 'unlock-key', '-q')).toBe(key);
    await makeSecret(1, 'after');
    for (const index of [0, 1]) await hasSecret(index, 'after');
    for (const words of [SECRET, 'PRIVATE KEY', 'SWMTKN']) expect(await values()).not.toContain(words);
    // Any manager makes a backup, which is locked as well.
    const file = swarm.hosts.at(1).diskFolder('locked.backup');
    expect(await swarm.at(1).command('backup', file)).toMatchObject({ code: 0 });
    const saved = await swarm.hosts.at(1).exec('cat', file);
    for (const words of [SECRET, 'PRIVATE KEY', 'SWMTKN']) expect(saved).not.toContain(words);
  },
  MINUTES_MS,
);

test(
  'one that starts is locked by itself; the others go on, with a key that was changed too',
  async () => {
    await swarm.at(1).kill();
    await swarm.at(1).start();
    expect(await stateOf(1)).toBe('locked');
    expect(await unlock(1, key)).toMatchObject({ code: 0, stderr: '' });
    await hasSecret(1, 'after');
    const former = key;
    key = keyIn(await swarm.at(0).docker('swarm', 'unlock-key', '--rotate'));
    await makeSecret(1, 'rotated');
    await swarm.at(0).kill();
    await makeSecret(1, 'by-the-other');
    expect(await swarm.at(1).docker('swarm', 'unlock-key', '-q')).toBe(key);
    await swarm.at(0).start();
    expect((await unlock(0, former)).stderr).toContain('invalid key provided');
    expect(await unlock(0, key)).toMatchObject({ code: 0, stderr: '' });
    await hasSecret(0, 'by-the-other');
  },
  MINUTES_MS,
);

test(
  'a host becomes a manager of a locked swarm without being asked for the key, until it starts again',
  async () => {
    await swarm.nodes(0, (rows) => rows.every(({ Status }) => Status === 'Ready'));
    await swarm.at(0).docker('node', 'promote', swarm.hosts.at(2).name);
    await swarm.nodes(2, (rows) => rows.some(({ Self, ManagerStatus }) => Self && ManagerStatus !== ''));
    await makeSecret(2, 'by-the-third');
    expect(await swarm.at(2).docker('swarm', 'unlock-key', '-q')).toBe(key);
    await swarm.at(2).restart();
    expect(await stateOf(2)).toBe('locked');
    expect(await unlock(2, key)).toMatchObject({ code: 0 });
    expect(await swarm.at(1).docker('swarm', 'update', '--autolock=false')).toBe('Swarm updated.');
    await swarm.at(2).restart();
    await eventually('it starts by itself', async () => ((await stateOf(2)) === 'active' ? true : undefined));
    await hasSecret(2, 'before');
  },
  MINUTES_MS,
);
