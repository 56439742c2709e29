import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { ManagerSwarm } from './manager-swarm.ts';

/** Managers with an etcd of their own, most of which are lost. Each test goes on from the former. */
const MINUTES_MS = 240_000;
/**
 * For an agent none of whose managers answered it: it tries any of those that it knows, one at a time and up to 8 s apart, and of three
 * one is left. That is 12 s on an average.
 */
const LOST_AGENT_MS = 180_000;

let swarm: ManagerSwarm;

beforeAll(async () => {
  const engines = ['20.10', '20.10', '20.10'] as const;
  swarm = await ManagerSwarm.start(engines, { managers: 2, joined: 2, own: true });
}, MINUTES_MS);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

const name = (index: number): string => swarm.hosts.at(index).name;
const write = (index: number, config: string) =>
  swarm.at(index).tryDocker(['config', 'create', config, '/etc/hostname']);
const has = async (index: number, config: string) =>
  (await swarm.at(index).docker('config', 'ls', '-q', '--filter', `name=${config}`)) !== '';
const isWarned = async (index: number) => {
  const { stdout, stderr } = await swarm.at(index).tryDocker(['info']);
  return `${stdout}${stderr}`;
};

/** A host is heard of some seconds after it came. */
const promote = (index: number) =>
  eventually('it is promoted', async () =>
    (await swarm.at(0).tryDocker(['node', 'promote', name(index)])).code === 0 ? true : undefined,
  );

/** Until a host lists these manager statuses, in the hosts' order. */
const statuses = (index: number, wanted: readonly string[]) =>
  swarm.nodes(index, (rows) => {
    const found = swarm.hosts.all.map(
      (host) => rows.find(({ Hostname }) => Hostname === host.name)?.ManagerStatus,
    );
    return found.join() === wanted.join();
  });

test(
  'two managers are warned of until there is a third one',
  async () => {
    await statuses(1, ['Leader', 'Reachable', '']);
    expect(await isWarned(1)).toContain('Running Swarm in a two-manager configuration');
    await swarm.join(swarm.at(2), 'manager');
    await statuses(2, ['Leader', 'Reachable', 'Reachable']);
    expect(await isWarned(1)).not.toContain('two-manager');
    expect((await write(0, 'before')).code).toBe(0);
  },
  MINUTES_MS,
);

test(
  'who could not be done without is not demoted, and says so when it is to leave',
  async () => {
    await swarm.at(2).kill();
    await statuses(0, ['Leader', 'Reachable', 'Unreachable']);
    const demoted = await eventually('it is refused', async () => {
      const { code, stderr } = await swarm.at(0).tryDocker(['node', 'demote', name(1)]);
      return code === 0 ? undefined : stderr;
    });
    expect(demoted).toContain('this would result in a loss of quorum');
    const left = await swarm.at(1).tryDocker(['swarm', 'leave']);
    expect(left.stderr).toContain('Removing this node leaves 1 managers out of 3');
    await statuses(0, ['Leader', 'Reachable', 'Unreachable']);
  },
  MINUTES_MS,
);

test(
  'without a majority reads go on and say so, and writes fail with the reason and the way out',
  async () => {
    await swarm.at(1).kill();
    await eventually('it is said', async () =>
      (await isWarned(0)).includes('has not answered for') ? true : undefined,
    );
    const { code, stderr } = await write(0, 'lost');
    expect(code).not.toBe(0);
    expect(stderr).toContain('docker swarm init --force-new-cluster');
    expect(await has(0, 'before')).toBe(true);
  },
  MINUTES_MS,
);

test(
  'the one that is left goes on alone, and those that return are workers',
  async () => {
    await swarm
      .at(0)
      .docker('swarm', 'init', '--force-new-cluster', '--advertise-addr', swarm.hosts.at(0).ip);
    expect((await write(0, 'alone')).code).toBe(0);
    expect(await has(0, 'before')).toBe(true);
    await statuses(0, ['Leader', '', '']);
    for (const index of [1, 2]) await swarm.at(index).start();
    for (const index of [1, 2])
      await eventually(`host ${index} manages no more`, async () =>
        (await swarm.at(index).tryDocker(['node', 'ls'])).stderr.includes('not a swarm manager')
          ? true
          : undefined,
      );
    await swarm.nodes(0, (rows) => rows.every(({ Status }) => Status === 'Ready'), LOST_AGENT_MS);
    await promote(1);
    await statuses(1, ['Leader', 'Reachable', '']);
    expect(await has(1, 'alone')).toBe(true);
  },
  MINUTES_MS,
);

test(
  'one that was started again without the others goes on alone as well',
  async () => {
    // The third one, a worker, is their witness.
    for (const index of [1, 2]) await swarm.at(index).kill();
    await swarm.at(0).restart();
    const { stderr } = await swarm.at(0).tryDocker(['node', 'ls']);
    expect(stderr).toContain('docker swarm init --force-new-cluster');
    await swarm.at(0).docker('swarm', 'init', '--force-new-cluster');
    expect(await has(0, 'alone')).toBe(true);
    expect((await write(0, 'alone-again')).code).toBe(0);
  },
  MINUTES_MS,
);
