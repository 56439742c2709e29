import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { within } from '../../src/base/async.ts';
import type { Host } from '../hosts/index.ts';
import { nodeIs } from '../swarm-mode/observed.ts';
import { stateOf, type TaskRow } from '../swarm-mode/services/service-swarm.ts';
import { Swarmd } from '../swarm-mode/swarmd.ts';
import { Line } from './line.ts';
import { Load } from './load.ts';
import { startNetworkSwarm, type NetworkSwarm } from './network-swarm.ts';
import { outside } from './places.ts';

/** What is lost while a published service is in use, on three hosts that balance. Each test goes on from the former. */
const PORT = 8080;
const MINUTES_MS = 120_000;
/** Engines alone take 50 s and more to find one another's containers again. */
const HEALED_MS = 30_000;
let swarm: NetworkSwarm;

beforeAll(async () => {
  swarm = await startNetworkSwarm({ swarmd: 3, swarmdArgs: ['--dispatcher-heartbeat', '1s'] });
  await swarm.serve('web', ['--mode', 'global', '-p', `${PORT}:80`]);
  await answered(swarm.balancing, await swarm.running('web', 3));
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

const at = ({ ip }: Host): string => `${ip}:${PORT}`;
/** Waits until just these tasks answer through each of the hosts. */
async function answered(through: readonly Host[], tasks: readonly TaskRow[]): Promise<void> {
  for (const host of through) await swarm.answeredBy(outside, `http://${at(host)}/`, tasks);
}
/** The tasks that run once those of a host are not among them. */
async function withoutThose(of: Host): Promise<TaskRow[]> {
  const gone = (row: TaskRow): boolean => row.Node !== of.name || row.DesiredState !== 'Running';
  const rows = await swarm.tasksWhen('web', (all) => all.every(gone));
  return rows.filter((row) => row.DesiredState === 'Running' && stateOf(row) === 'Running');
}
/** Runs `act` under load through these hosts, and expects that no request failed. */
async function unnoticed(through: readonly Host[], act: () => Promise<unknown>): Promise<void> {
  await using load = new Load(outside, { targets: through.map(at), loops: 4, atLeast: 500 });
  await act();
  const { failures, failed } = await load.stop();
  expect(failures).toEqual([]);
  expect(failed).toBe(0);
}
/** A connection to a task on that host, through another one. */
async function lineTo(host: Host, through: Host): Promise<Line> {
  const tasks = await swarm.running('web', 3);
  const wanted = tasks.find(({ Node }) => Node === host.name)?.ID;
  for (let count = 0; count < 100; count++) {
    const line = new Line(outside, through.ip, PORT);
    if ((await line.say('one')) === wanted) return line;
    await line[Symbol.asyncDispose]();
  }
  throw new Error(`${through.name} leads to no task on ${host.name}`);
}

test(
  'the manager is lost, and a worker starts anew without it: the data path goes on',
  async () => {
    const [manager, worker, other] = swarm.swarmds;
    if (!manager || !worker || !other) throw new Error('no swarmd');
    try {
      await unnoticed(swarm.balancing, async () => {
        await manager.kill();
        await worker.restart();
        await other.kill();
        await other.start();
      });
    } finally {
      await manager.start();
    }
    for (const host of swarm.hosts) await nodeIs(manager, host, 'ready');
    // What changes from now on is followed again.
    await swarm.update('web', '--force', '--update-parallelism', '0');
    await answered(swarm.balancing, await swarm.running('web', 3));
  },
  MINUTES_MS,
);

test(
  "a worker's swarmd that has lost its state goes on",
  async () => {
    const worker = swarm.swarmds[1];
    if (!worker) throw new Error('no swarmd');
    await worker.stop();
    await using anew = await new Swarmd(worker.host, { state: 'anew' }).start();
    await swarm.update('web', '--force', '--update-parallelism', '0');
    await answered(swarm.balancing, await swarm.running('web', 3));
    await anew.stop();
    await worker.start();
  },
  MINUTES_MS,
);

test(
  'a host that is cut off: the others lead to its task no more, until it is back',
  async () => {
    const host = swarm.at(2);
    const rest = swarm.balancing.filter((one) => one !== host);
    await host.cutLink();
    await nodeIs(swarm.swarmd, host, 'down');
    const left = await withoutThose(host);
    expect(left).toHaveLength(2);
    await answered(rest, left);
    // Before the engines have given it up: they doubt one another then, and tell nothing of their containers for a minute.
    await host.healLink();
    await nodeIs(swarm.swarmd, host, 'ready');
    const all = await swarm.running('web', 3);
    await within(HEALED_MS, 'the mesh of hosts that have lost one another', answered(swarm.balancing, all));
  },
  MINUTES_MS,
);

test(
  'a host that loses its power: connections to its task are reset, new ones go elsewhere; it comes back by itself',
  async () => {
    const [rest, host] = [[swarm.at(0), swarm.at(2)], swarm.at(1)] as const;
    await using line = await lineTo(host, swarm.at(2));
    await host.powerOff();
    await nodeIs(swarm.swarmd, host, 'down');
    await answered(rest, await withoutThose(host));
    expect(await line.say('two')).toBe('ECONNRESET');
    const own = swarm.swarmds[1];
    await own?.kill();
    await unnoticed(rest, () => host.powerOn());
    await own?.start();
    await nodeIs(swarm.swarmd, host, 'ready');
    await answered(swarm.balancing, await swarm.running('web', 3));
  },
  MINUTES_MS,
);
