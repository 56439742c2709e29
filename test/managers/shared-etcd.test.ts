import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { ManagerSwarm } from './manager-swarm.ts';

/** Two managers and a worker over an etcd of the user's. Each test goes on from the former. */
const MINUTES_MS = 240_000;

let swarm: ManagerSwarm;

beforeAll(async () => {
  swarm = await ManagerSwarm.start(['20.10', '28.5', '20.10'], { managers: 2 });
}, MINUTES_MS);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

const statuses = async (index: number): Promise<string> => {
  const rows = await swarm.nodes(index, (all) => all.length === 3);
  return rows.map(({ ManagerStatus }) => ManagerStatus).join(',');
};

/** How many tasks of a service run, as a host shows it: `2/2`. */
const replicas = (index: number, name: string): Promise<string> =>
  swarm.at(index).docker('service', 'ls', '--filter', `name=${name}`, '--format', '{{.Replicas}}');

async function converged(index: number, name: string, wanted: string): Promise<void> {
  await eventually(`${name} has ${wanted} at host ${index}`, async () =>
    (await replicas(index, name)) === wanted ? true : undefined,
  );
}

test(
  'every manager shows the same managers, and answers what clients ask',
  async () => {
    expect(await swarm.leader(0)).toBe(0);
    expect(await statuses(0)).toBe('Leader,Reachable,');
    expect(await statuses(1)).toBe('Leader,Reachable,');
    const own = await swarm.nodes(1, () => true);
    expect(own.find(({ Self }) => Self)?.Hostname).toBe(swarm.hosts.at(1).name);
    // A client that writes at the follower reads what it wrote there.
    for (let count = 0; count < 5; count += 1) {
      const name = `secret-${count}`;
      await swarm.at(1).docker('config', 'create', name, '/etc/hostname');
      expect(await swarm.at(1).docker('config', 'ls', '-q', '--filter', `name=${name}`)).not.toBe('');
    }
    await swarm
      .at(1)
      .docker('service', 'create', '--no-resolve-image', '--name', 'web', '--replicas', '3', 'nginx');
    expect(await replicas(1, 'web')).toBe('3/3');
    await converged(0, 'web', '3/3');
  },
  MINUTES_MS,
);

/** The ids of a service's running tasks. */
async function tasks(index: number, name: string): Promise<string[]> {
  const text = await swarm
    .at(index)
    .docker('service', 'ps', '--no-trunc', '-q', '-f', 'desired-state=running', name);
  return text.split('\n').sort();
}

test(
  'logs are read through a manager that does not lead',
  async () => {
    const say = 'echo said; while :; do sleep 1; done';
    const follower = swarm.at(1);
    const options = ['--no-resolve-image', '--name', 'talker', '--stop-signal', 'SIGKILL'];
    await follower.docker('service', 'create', ...options, 'busybox', 'sh', '-c', say);
    expect(await follower.docker('service', 'logs', '--raw', 'talker')).toBe('said');
    await follower.docker('service', 'rm', 'talker');
  },
  MINUTES_MS,
);

test(
  'networks of the swarm are made and removed through any manager, and local ones stay local',
  async () => {
    const [leader, follower] = [swarm.at(0), swarm.at(1)];
    await follower.docker('network', 'create', '-d', 'overlay', 'wide');
    expect(await leader.docker('network', 'ls', '-q', '--filter', 'name=wide')).not.toBe('');
    await follower.docker('network', 'create', '-d', 'bridge', 'narrow');
    expect(await leader.docker('network', 'ls', '-q', '--filter', 'name=narrow')).toBe('');
    await follower.docker('network', 'rm', 'wide', 'narrow');
    expect(await leader.docker('network', 'ls', '-q', '--filter', 'name=wide')).toBe('');
  },
  MINUTES_MS,
);

test(
  'a leader that is killed is followed by the other manager, and no task moves',
  async () => {
    const before = await tasks(1, 'web');
    await swarm.at(0).kill();
    await swarm.at(1).docker('config', 'create', 'after-the-kill', '/etc/hostname');
    await swarm.nodes(1, (rows) => {
      const shown = new Map(rows.map(({ Hostname, ManagerStatus }) => [Hostname, ManagerStatus]));
      const at = (index: number): string | undefined => shown.get(swarm.hosts.at(index).name);
      return at(0) === 'Unreachable' && at(1) === 'Leader';
    });
    await swarm.at(0).start();
    await swarm.nodes(0, (rows) =>
      rows.every(
        ({ Hostname, ManagerStatus, Status }) =>
          Status === 'Ready' &&
          ManagerStatus ===
            (Hostname === swarm.hosts.at(0).name
              ? 'Reachable'
              : Hostname === swarm.hosts.at(1).name
                ? 'Leader'
                : ''),
      ),
    );
    expect(await tasks(0, 'web')).toEqual(before);
    expect(await swarm.at(0).docker('config', 'ls', '-q', '--filter', 'name=after-the-kill')).not.toBe('');
  },
  MINUTES_MS,
);

test(
  'a leader that is cut off leads no more, and what it is asked then fails with the reason',
  async () => {
    const host = swarm.hosts.at(1);
    await host.cutLink();
    await swarm.at(0).docker('config', 'create', 'while-cut', '/etc/hostname');
    expect(await swarm.leader(0)).toBe(0);
    const refused = await swarm.at(1).tryDocker(['config', 'create', 'lost', '/etc/hostname']);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/has not answered|does not have a leader/);
    // Reads go on.
    expect(await swarm.at(1).docker('config', 'ls', '-q', '--filter', 'name=after-the-kill')).not.toBe('');
    await host.healLink();
    await eventually('it has heard of what was written meanwhile', async () =>
      (await swarm.at(1).docker('config', 'ls', '-q', '--filter', 'name=while-cut')) === ''
        ? undefined
        : true,
    );
    await swarm.nodes(1, (rows) => rows.every(({ Status }) => Status === 'Ready'));
    expect(await swarm.at(1).docker('config', 'ls', '-q', '--filter', 'name=lost')).toBe('');
  },
  MINUTES_MS,
);

test(
  'a worker with swarmd is promoted and demoted, and keeps its id and its tasks',
  async () => {
    const name = swarm.hosts.at(2).name;
    const before = await tasks(0, 'web');
    const [id] = (await swarm.nodes(0, () => true))
      .filter((row) => row.Hostname === name)
      .map((row) => row.ID);
    await swarm.at(1).docker('node', 'promote', name);
    const rows = await swarm.nodes(2, (all) =>
      all.some((row) => row.Hostname === name && row.ManagerStatus === 'Reachable'),
    );
    expect(rows.find((row) => row.Self)).toMatchObject({ ID: id, Hostname: name });
    await swarm.at(2).docker('config', 'create', 'by-the-third', '/etc/hostname');
    await swarm.at(2).docker('node', 'demote', name);
    await swarm.nodes(0, (all) => all.some((row) => row.Hostname === name && row.ManagerStatus === ''));
    await eventually('the third host manages no more', async () =>
      (await swarm.at(2).tryDocker(['node', 'ls'])).stderr.includes('not a swarm manager') ? true : undefined,
    );
    expect(await tasks(0, 'web')).toEqual(before);
  },
  MINUTES_MS,
);

test(
  'the last manager is not demoted; one that leaves is listed until it is removed, and may come back',
  async () => {
    const [one, other] = [0, 1].map((index) => swarm.hosts.at(index).name) as [string, string];
    await swarm.at(0).docker('node', 'demote', other);
    const refused = await swarm.at(0).tryDocker(['node', 'demote', one]);
    expect(refused.stderr).toContain('attempting to demote the last manager of the swarm');
    await eventually('it manages no more', async () =>
      (await swarm.at(1).tryDocker(['node', 'ls'])).code === 0 ? undefined : true,
    );
    await swarm.at(1).docker('swarm', 'leave');
    await swarm.nodes(0, (rows) =>
      rows.some(({ Hostname, Status }) => Hostname === other && Status === 'Down'),
    );
    await swarm.at(0).docker('node', 'rm', other);
    expect(await swarm.join(swarm.at(1), 'manager')).toBe('This node joined a swarm as a manager.');
    await swarm.nodes(1, (rows) =>
      rows.some(({ Self, ManagerStatus, Status }) => Self && ManagerStatus !== '' && Status === 'Ready'),
    );
  },
  MINUTES_MS,
);
