import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { ManagerSwarm } from './manager-swarm.ts';

/** Managers that keep their state in an etcd of their own. Each test goes on from the former. */
const MINUTES_MS = 300_000;
const HOSTS = [0, 1, 2];

let swarm: ManagerSwarm;
let containers: readonly string[][] = [];

beforeAll(async () => {
  const engines = ['20.10', '28.5', '20.10'] as const;
  swarm = await ManagerSwarm.start(engines, { managers: 3, joined: 1, own: true });
}, MINUTES_MS);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

/** Until a host lists these manager statuses, in the hosts' order. */
const statuses = (index: number, wanted: readonly string[]) =>
  swarm.nodes(index, (rows) => {
    const found = swarm.hosts.all.map(
      ({ name }) => rows.find(({ Hostname }) => Hostname === name)?.ManagerStatus,
    );
    return found.join() === wanted.join();
  });

/** Until a host lists all nodes as ready, and so many of them as managers. */
const well = (index: number, managers = 3) =>
  swarm.nodes(
    index,
    (rows) =>
      rows.every(({ Status }) => Status === 'Ready') &&
      rows.filter(({ ManagerStatus }) => ['Leader', 'Reachable'].includes(ManagerStatus)).length === managers,
  );

const write = (index: number, name: string) =>
  swarm.at(index).docker('config', 'create', name, '/etc/hostname');
const has = async (index: number, name: string) =>
  (await swarm.at(index).docker('config', 'ls', '-q', '--filter', `name=${name}`)) !== '';
/** A host that follows may be behind for a moment. */
const comesTo = (index: number, name: string) =>
  eventually(`host ${index} has ${name}`, async () => ((await has(index, name)) ? true : undefined));

/** A write that is tried until another manager leads. */
const writeAgain = (index: number, name: string) =>
  eventually(`${name} is written`, async () => {
    const { code, stderr } = await swarm.at(index).tryDocker(['config', 'create', name, '/etc/hostname']);
    return code === 0 || stderr.includes('already exists') ? true : undefined;
  });

/** The ids of a host's containers. */
async function containersOf(index: number): Promise<string[]> {
  return (await swarm.hosts.at(index).docker('ps', '-q', '--no-trunc')).split('\n').sort();
}

/** Until both tasks run, as a host shows it. */
const converged = (index: number) =>
  eventually('both tasks run', async () => {
    const at = swarm.at(index);
    if ((await at.docker('service', 'ls', '--format', '{{.Replicas}}')) === '2/2') return true;
    throw new Error(await at.docker('service', 'ps', 'web'));
  });

/** The nodes' ids that the etcd has as members with a vote, as a host's own says. */
async function members(index: number): Promise<string[]> {
  const listed = await swarm.etcdctl(index, 'member', 'list');
  const rows = listed.split('\n').map((line) => line.split(', '));
  return rows.filter((row) => row[5] === 'false').map((row) => row[2] ?? '');
}

/** Kills a manager, and demotes it. */
async function off(index: number): Promise<void> {
  await swarm.at(index).kill();
  await eventually('it is demoted', async () =>
    (await swarm.at(0).tryDocker(['node', 'demote', swarm.hosts.at(index).name])).code === 0
      ? true
      : undefined,
  );
  await eventually('its member is gone', async () => ((await members(0)).length === 2 ? true : undefined));
}

const hasMember = (index: number) => existsSync(join(swarm.at(index).stateDirHere, 'etcd', 'member.json'));

test(
  'the state moves when a second manager joins: nothing that was acknowledged is lost, no container notices',
  async () => {
    const options = ['--no-resolve-image', '--name', 'web', '--replicas', '2'];
    await swarm.at(0).docker('service', 'create', ...options, 'nginx');
    await write(0, 'before');
    const [id] = (await swarm.nodes(0, () => true)).map(({ ID }) => ID);
    const before = await containersOf(0);
    expect(before).toHaveLength(2);

    const acknowledged: string[] = [];
    let joined = false;
    const writing = (async () => {
      for (let count = 0; !joined; count += 1) {
        const name = `meanwhile-${count}`;
        const { code } = await swarm.at(0).tryDocker(['config', 'create', name, '/etc/hostname']);
        if (code === 0) acknowledged.push(name);
      }
    })();
    expect(await swarm.join(swarm.at(1), 'manager')).toContain('This node joined a swarm as a manager.');
    expect(await swarm.join(swarm.at(2), 'manager')).toBe('This node joined a swarm as a manager.');
    joined = true;
    await writing;

    for (const index of HOSTS) await statuses(index, ['Leader', 'Reachable', 'Reachable']);
    expect((await swarm.nodes(0, () => true)).find(({ Self }) => Self)?.ID).toBe(id);
    expect(acknowledged.length).toBeGreaterThan(0);
    const names = (await swarm.at(2).docker('config', 'ls', '--format', '{{.Name}}')).split('\n');
    expect(names).toEqual(expect.arrayContaining(['before', ...acknowledged]));
    expect(await containersOf(0)).toEqual(before);
    expect(await members(2)).toHaveLength(3);
    expect(existsSync(join(swarm.at(0).stateDirHere, 'state.db'))).toBe(false);
    containers = await Promise.all(HOSTS.map(containersOf));
  },
  MINUTES_MS,
);

test(
  'every manager is written at, and reads what was written there',
  async () => {
    for (const index of HOSTS) {
      await write(index, `by-${index}`);
      expect(await has(index, `by-${index}`)).toBe(true);
    }
    for (const index of HOSTS) await comesTo(index, 'by-2');
  },
  MINUTES_MS,
);

test(
  'a leader that is killed is followed by another one, and comes back as a follower',
  async () => {
    await swarm.at(0).kill();
    await writeAgain(1, 'after-the-kill');
    await comesTo(2, 'after-the-kill');
    await swarm.nodes(2, (rows) =>
      rows.some(
        ({ Hostname, ManagerStatus }) =>
          Hostname === swarm.hosts.at(0).name && ManagerStatus === 'Unreachable',
      ),
    );
    await swarm.at(0).start();
    await well(0);
    expect(await swarm.leader(0)).not.toBe(0);
    await comesTo(0, 'after-the-kill');
    expect(await Promise.all(HOSTS.map(containersOf))).toEqual(containers);
  },
  MINUTES_MS,
);

test(
  'all managers are stopped and started again',
  async () => {
    for (const index of HOSTS) await swarm.at(index).stop();
    await Promise.all(HOSTS.map((index) => swarm.at(index).start()));
    for (const index of HOSTS) await well(index);
    await writeAgain(0, 'after-the-restart');
    await comesTo(2, 'after-the-restart');
    expect(await Promise.all(HOSTS.map(containersOf))).toEqual(containers);
  },
  MINUTES_MS,
);

test(
  'a manager that is demoted goes on with its member as the witness, and as a manager again',
  async () => {
    const name = swarm.hosts.at(2).name;
    const before = await swarm.etcdctl(0, 'member', 'list');
    await swarm.at(0).docker('node', 'demote', name);
    await swarm.witness(0, 2);
    await well(1, 2);
    expect(await swarm.etcdctl(2, 'member', 'list')).toBe(before);
    await swarm.at(1).docker('node', 'promote', name);
    await well(2);
    await swarm.witness(2, undefined);
    expect(await swarm.etcdctl(2, 'member', 'list')).toBe(before);
    await writeAgain(2, 'promoted-again');
  },
  MINUTES_MS,
);

test(
  'a manager whose host is never to be a witness takes its member along, and gets another one when it is promoted',
  async () => {
    const name = swarm.hosts.at(2).name;
    await swarm.at(2).restart('--store-member=false');
    await well(0);
    await swarm.at(0).docker('node', 'demote', name);
    await eventually('its member is gone', async () => ((await members(0)).length === 2 ? true : undefined));
    await eventually('its host has forgotten it', () => Promise.resolve(hasMember(2) ? undefined : true));
    await well(1, 2);
    await eventually('it is promoted', async () =>
      (await swarm.at(1).tryDocker(['node', 'promote', name])).code === 0 ? true : undefined,
    );
    await well(2);
    expect(await members(2)).toHaveLength(3);
    await swarm.at(2).restart();
    await well(0);
  },
  MINUTES_MS,
);

test(
  'a manager that is demoted while it is off is a worker when it returns, and becomes the witness',
  async () => {
    const { name } = swarm.hosts.at(2);
    await off(2);
    await swarm.at(2).start();
    await eventually('it manages no more', async () =>
      (await swarm.at(2).tryDocker(['node', 'ls'])).stderr.includes('not a swarm manager') ? true : undefined,
    );
    await swarm.witness(0, 2);
    expect(await members(0)).toHaveLength(3);
    await eventually('it can be promoted', async () =>
      (await swarm.at(0).tryDocker(['node', 'promote', name])).code === 0 ? true : undefined,
    );
    await well(2);
    expect(await members(2)).toHaveLength(3);
  },
  MINUTES_MS,
);

test(
  'a manager whose member alone was removed while it was off comes in again',
  async () => {
    const { name } = swarm.hosts.at(2);
    const id = (await swarm.nodes(0, () => true)).find(({ Hostname }) => Hostname === name)?.ID ?? '';
    await swarm.at(2).kill();
    const rows = (await swarm.etcdctl(0, 'member', 'list')).split('\n').map((line) => line.split(', '));
    await swarm.etcdctl(0, 'member', 'remove', rows.find((row) => row[2] === id)?.[0] ?? '');
    expect(await members(0)).toHaveLength(2);
    await swarm.at(2).start();
    await well(2);
    expect(await members(2)).toHaveLength(3);
    await writeAgain(2, 'in-again');
  },
  MINUTES_MS,
);

test(
  'a manager that is removed while it is off says so when it returns, and may join again',
  async () => {
    const { name } = swarm.hosts.at(2);
    await off(2);
    await swarm.at(0).docker('node', 'rm', '--force', name);
    await swarm.at(2).start();
    await eventually('it says so', async () =>
      (await swarm.at(2).tryDocker(['node', 'ls'])).stderr.includes('was removed from its swarm')
        ? true
        : undefined,
    );
    expect(await members(0)).toHaveLength(2);
    await swarm.at(2).docker('swarm', 'leave', '--force');
    expect(hasMember(2)).toBe(false);
    expect(await swarm.join(swarm.at(2), 'manager', swarm.at(1))).toBe(
      'This node joined a swarm as a manager.',
    );
    await well(2);
    expect(await members(2)).toHaveLength(3);
  },
  MINUTES_MS,
);

test(
  'a manager that leaves takes its member along, also the one that leads; it may come again',
  async () => {
    const leader = await swarm.leader(0);
    const [one = 0, other = 0] = HOSTS.filter((index) => index !== leader);
    const { name } = swarm.hosts.at(leader);
    await swarm.at(leader).docker('swarm', 'leave', '--force');
    expect(hasMember(leader)).toBe(false);
    await eventually('its member is gone', async () =>
      (await members(one)).length === 2 ? true : undefined,
    );
    await writeAgain(other, 'without-the-one-that-led');
    await swarm.nodes(one, (rows) =>
      rows.some(({ Hostname, Status }) => Hostname === name && Status === 'Down'),
    );
    await swarm.at(one).docker('node', 'rm', name);
    await swarm.join(swarm.at(leader), 'manager', swarm.at(other));
    await well(leader);
    await comesTo(leader, 'without-the-one-that-led');
    await converged(leader);
    expect(await members(leader)).toHaveLength(3);
  },
  MINUTES_MS,
);

test(
  'the host of the leader loses its power, and the others go on; it comes back',
  async () => {
    const leader = await swarm.leader(0);
    const [one = 0, other = 0] = HOSTS.filter((index) => index !== leader);
    const { name } = swarm.hosts.at(leader);
    await swarm.hosts.at(leader).powerOff();
    await writeAgain(one, 'without-its-host');
    await swarm.nodes(other, (rows) =>
      rows.some(
        ({ Hostname, ManagerStatus, Status }) =>
          Hostname === name && ManagerStatus === 'Unreachable' && Status === 'Down',
      ),
    );
    await converged(one);
    await swarm.hosts.at(leader).powerOn();
    await swarm.at(leader).start();
    await well(leader);
    await comesTo(leader, 'without-its-host');
  },
  MINUTES_MS,
);
