import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { ManagerSwarm } from './manager-swarm.ts';

/** Two managers with an etcd of their own, and a worker whose host is the third vote. Each test goes on from the former. */
const MINUTES_MS = 240_000;

let swarm: ManagerSwarm;

beforeAll(async () => {
  swarm = await ManagerSwarm.start(['20.10', '20.10', '20.10'], { managers: 2, own: true });
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
const hasMember = (index: number) => existsSync(join(swarm.at(index).stateDirHere, 'etcd', 'member.json'));

test(
  'a worker with swarmd becomes the witness of two managers by itself, and is shown as such',
  async () => {
    await swarm.witness(0, 2);
    expect(hasMember(2)).toBe(true);
    expect(await info(1)).not.toContain('two-manager');
    expect((await swarm.at(2).tryDocker(['node', 'ls'])).stderr).toContain('not a swarm manager');
    expect(await swarm.at(1).docker('node', 'inspect', '-f', '{{.Spec.Role}}', name(2))).toBe('worker');
  },
  MINUTES_MS,
);

test(
  'two managers with a witness survive the loss of the one that leads, and restarts of the witness',
  async () => {
    await swarm.at(0).kill();
    await write(1, 'without-the-first');
    await swarm.at(0).start();
    await managers(0, 2);
    await has(0, 'without-the-first');
    await swarm.at(2).restart();
    await swarm.at(1).kill();
    await write(0, 'without-the-second');
    await swarm.at(1).start();
    await managers(1, 2);
    await has(1, 'without-the-second');
  },
  MINUTES_MS,
);

test(
  'the witness is promoted, and two managers have one again when there are two',
  async () => {
    await eventually('it is promoted', async () =>
      (await swarm.at(0).tryDocker(['node', 'promote', name(2)])).code === 0 ? true : undefined,
    );
    await managers(2, 3);
    await swarm.witness(0, undefined);
    await swarm.at(2).docker('node', 'demote', name(1));
    await swarm.witness(0, 1);
    await managers(0, 2);
    await swarm.at(2).kill();
    await write(0, 'with-the-other-witness');
  },
  MINUTES_MS,
);
