import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { ManagerSwarm } from './manager-swarm.ts';
import { expectClosed, memberFolder } from './member-ports.ts';

/** Two managers with an etcd of their own, and workers whose hosts may be the third vote. Each test goes on from the former. */
const MINUTES_MS = 300_000;

let swarm: ManagerSwarm;

beforeAll(async () => {
  const engines = ['20.10', '20.10', '20.10', '20.10'] as const;
  swarm = await ManagerSwarm.start(engines, { managers: 2, joined: 1, own: true });
}, MINUTES_MS);
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

const name = (index: number): string => swarm.hosts.at(index).name;
const info = async (index: number) => {
  const { stdout, stderr } = await swarm.at(index).tryDocker(['info']);
  return `${stdout}${stderr}`;
};
const write = (index: number, config: string) =>
  eventually(`${config} is written`, async () => {
    const { code, stderr } = await swarm.at(index).tryDocker(['config', 'create', config, '/etc/hostname']);
    return code === 0 || stderr.includes('already exists') ? true : undefined;
  });
const has = (index: number, config: string) =>
  eventually(`host ${index} has ${config}`, async () =>
    (await swarm.at(index).docker('config', 'ls', '-q', '--filter', `name=${config}`)) === ''
      ? undefined
      : true,
  );
const managers = (index: number, count: number) =>
  swarm.nodes(
    index,
    (rows) =>
      rows.filter(({ ManagerStatus }) => ['Leader', 'Reachable'].includes(ManagerStatus)).length === count,
  );
const hasMember = (index: number) => memberFolder(swarm, index).hasMember;
const isFree = (index: number) =>
  eventually(`host ${index} has nothing of the state`, () =>
    Promise.resolve(hasMember(index) ? undefined : true),
  );

test(
  'the second manager is warned where nobody can be a witness, beside Docker’s words; a worker that comes later is it',
  async () => {
    expect(await swarm.join(swarm.at(1), 'manager')).toBe('This node joined a swarm as a manager.');
    for (const index of [0, 1]) {
      expect(swarm.at(index).log).toMatch(/level=warning .*two-manager configuration/);
      expect(await info(index)).toContain('WARNING: Running Swarm in a two-manager configuration');
    }
    await swarm.join(swarm.at(2), 'worker');
    await swarm.witness(0, 2);
    expect(hasMember(2)).toBe(true);
    for (const index of [0, 1]) expect(await info(index)).not.toContain('two-manager');
    expect((await swarm.at(2).tryDocker(['node', 'ls'])).stderr).toContain('not a swarm manager');
    const format = '{{.Spec.Role}} {{json .Spec.Labels}}';
    const shown = await swarm.at(1).docker('node', 'inspect', '-f', format, name(2));
    expect(shown).toBe('worker {"skep.witness":"true"}');
    await expectClosed(swarm, 2, { worker: 2 });
  },
  MINUTES_MS,
);

test(
  'two managers with a witness survive the loss of the one that leads, and a restart of the witness, which has no unlock key',
  async () => {
    await swarm.at(0).kill();
    await write(1, 'without-the-first');
    await swarm.at(0).start();
    await managers(0, 2);
    await has(0, 'without-the-first');

    const said = await swarm.at(0).docker('swarm', 'update', '--autolock=true');
    const key = /SWMKEY-1-[A-Za-z0-9+/]{43}/.exec(said)?.[0] ?? expect.fail(said);
    await swarm.at(2).restart();
    await swarm.at(1).kill();
    await write(0, 'without-the-second');
    await swarm.at(1).start();
    await eventually('it is unlocked', async () =>
      (await swarm.at(1).tryDocker(['swarm', 'unlock'], { input: `${key}\n` })).code === 0 ? true : undefined,
    );
    await managers(1, 2);
    await has(1, 'without-the-second');
    await swarm.at(0).docker('swarm', 'update', '--autolock=false');
  },
  MINUTES_MS,
);

test(
  'a host that is to be the witness is it before others; one that leaves, or is removed, is followed by another',
  async () => {
    await swarm.at(3).restart('--store-member');
    await swarm.join(swarm.at(3), 'worker');
    await swarm.witness(0, 3);
    await isFree(2);

    await swarm.at(3).docker('swarm', 'leave');
    await swarm.witness(0, 2);
    await isFree(3);
    await swarm.at(0).docker('node', 'rm', '--force', name(3));

    await swarm.at(3).restart();
    await swarm.join(swarm.at(3), 'worker');
    await swarm.at(2).kill();
    await swarm.at(0).docker('node', 'rm', '--force', name(2));
    await swarm.witness(0, 3);
    expect(hasMember(2)).toBe(true);
    await swarm.at(2).start();
    await isFree(2);
  },
  MINUTES_MS,
);

test(
  'the witness is promoted, and of three the one that is demoted is it: the loss of any other is survived right after',
  async () => {
    await eventually('it is promoted', async () =>
      (await swarm.at(0).tryDocker(['node', 'promote', name(3)])).code === 0 ? true : undefined,
    );
    await managers(3, 3);
    await swarm.witness(0, undefined);
    await swarm.at(3).docker('node', 'demote', name(1));
    await managers(0, 2);
    await swarm.witness(0, 1);
    await swarm.at(3).kill();
    await write(0, 'with-the-other-witness');
  },
  MINUTES_MS,
);
