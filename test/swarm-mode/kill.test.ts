import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startHosts, until, type Hosts } from '../hosts/index.ts';
import { seeded } from '../seeded.ts';
import { differences, containersOn, idsOf, nodesOf, settled, tasksOf } from './observed.ts';
import { Swarmd } from './swarmd.ts';
import { Wishes } from './wishes.ts';

const long = process.env['SKEP_TEST_LONG'] !== undefined;
const ROUNDS = Number(process.env['SKEP_KILL_ROUNDS'] ?? (long ? 150 : 8));
const SEED = Number(process.env['SKEP_KILL_SEED'] ?? (long ? Math.floor(Math.random() * 1e9) : 5));
const ROUND_MS = 30_000;

let hosts: Hosts;
let swarmd: Swarmd;

beforeAll(async () => {
  hosts = await startHosts({
    count: 2,
    engine: ['20.10', '28.5'],
    dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
  });
  const [manager, worker] = [hosts.at(0), hosts.at(1)];
  swarmd = await new Swarmd(manager, { args: ['--dispatcher-heartbeat', '1s'] }).start();
  await swarmd.docker('swarm', 'init', '--advertise-addr', manager.ip);
  const token = await swarmd.docker('swarm', 'join-token', '-q', 'worker');
  await worker.docker('swarm', 'join', '--token', token, `${manager.ip}:2377`);
  await allReady();
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarmd.log.slice(-4000));
});
afterAll(async () => {
  await swarmd?.kill();
  await hosts?.close();
});

test(
  `swarmd killed again and again loses and doubles nothing (seed ${SEED}, ${ROUNDS} rounds)`,
  async () => {
    console.log(`kill: seed ${SEED}, ${ROUNDS} rounds (SKEP_KILL_SEED, SKEP_KILL_ROUNDS)`);
    const random = seeded(SEED);
    const wishes = new Wishes(swarmd, seeded(SEED + 1));
    const create = ['service', 'create', '-d', '--no-resolve-image', '--name'];
    await swarmd.docker(...create, 'steady', '--replicas', '3', 'nginx');
    await swarmd.docker(...create, 'everywhere', '--mode', 'global', 'nginx');
    const bystanders = { steady: 3, everywhere: 2 };
    const before = await settled(swarmd, hosts.all, bystanders);

    for (let round = 0; round < ROUNDS; round += 1) {
      // Killed while its nodes come back, or while they do what it says.
      if (random.next() < 0.5) await allReady();
      const over = new AbortController();
      const wishing = wishes.utter(over.signal);
      await sleep(random.whole(50, 1_500));
      await swarmd.kill();
      over.abort();
      await wishing;
      await swarmd.start();
      await wishes.check();
    }

    console.log(`kill: ${wishes.acknowledged} commands were acknowledged`);
    expect(wishes.acknowledged).toBeGreaterThan(0);
    await allReady();
    const wanted = { ...bystanders, ...wishes.replicas };
    const after = await settled(swarmd, hosts.all, wanted, 60_000);
    const ids = idsOf(before);
    expect(idsOf(after.filter(({ service }) => service in bystanders))).toEqual(ids);
    await wishes.checkTasks();
    await wishes.removeAll();
    await until('nothing is left', 60_000, async () => {
      const tasks = await tasksOf(swarmd);
      const lists = await Promise.all(hosts.all.map(containersOn));
      const gone = tasks.length === ids.length && lists.flat().length === ids.length;
      return (gone && differences(tasks, lists.flat(), bystanders).length === 0) || undefined;
    });
    expect(idsOf(await settled(swarmd, hosts.all, bystanders))).toEqual(ids);
    expect(swarmd.log).not.toContain('node is down');
    expect(swarmd.log).not.toMatch(/level=(fatal|panic)/);
    await swarmd.kill();
    expect(integrity()).toEqual([{ integrity_check: 'ok' }]);
  },
  ROUNDS * ROUND_MS + 120_000,
);

async function allReady(): Promise<void> {
  await until('all nodes are ready', 40_000, async () => {
    const states = [...(await nodesOf(swarmd)).values()].map(({ state }) => state);
    return (states.length === hosts.all.length && states.every((state) => state === 'ready')) || undefined;
  });
}

/** What SQLite finds in the state that a kill left behind. */
function integrity(): unknown {
  const copy = mkdtempSync(join(tmpdir(), 'skep-state-'));
  try {
    for (const name of ['state.db', 'state.db-wal']) {
      const path = join(swarmd.stateDirHere, name);
      if (existsSync(path)) cpSync(path, join(copy, name));
    }
    const database = new DatabaseSync(join(copy, 'state.db'));
    const found = database.prepare('PRAGMA integrity_check').all();
    database.close();
    return found.map((row) => ({ ...row }));
  } finally {
    rmSync(copy, { recursive: true });
  }
}
