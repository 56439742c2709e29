import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Host } from '../hosts/index.ts';
import { ManagerSwarm } from '../managers/manager-swarm.ts';
import { seeded } from '../seeded.ts';
import { ask } from './ask.ts';
import { check } from './check/check.ts';
import { runClient, runReader } from './clients.ts';
import { steppedClock } from './clocks.ts';
import { smallDisk } from './disks.ts';
import { ending } from './ending.ts';
import { runNemesis } from './nemesis.ts';
import { Recorder } from './recorder.ts';

const long = process.env['SKEP_TEST_LONG'] !== undefined;
/** Of each of the stores. */
const SECONDS = Number(process.env['SKEP_HISTORY_SECONDS'] ?? (long ? 3_600 : 60));
const SEED = Number(process.env['SKEP_HISTORY_SEED'] ?? (long ? Math.floor(Math.random() * 1e9) : 7));
const STORES = ['an etcd of the user’s', 'their own etcd'] as const;
const MANAGERS_ENGINES = ['20.10', '28.5', '20.10'] as const;
/** The managers' own engines work too. Every further one costs a busy machine many seconds before the first write. */
const WORKERS_ENGINES = long ? (['20.10', '28.5', '20.10'] as const) : (['28.5'] as const);
const MANAGERS = MANAGERS_ENGINES.length;
const CLIENTS = 5;
const PATIENCE_MS = 120_000;
/** Of a manager's state folder: etcd sets aside two logs of 64 MiB at once. */
const [DISK, DISK_WITH_ETCD] = ['1m', '320m'];

test.each(STORES.filter((_, at) => [String(at), undefined].includes(process.env['SKEP_HISTORY_STORE'])))(
  `managers over %s that die, freeze, are cut off, have full disks and wrong clocks lose nothing acknowledged (seed ${SEED}, ${SECONDS} s)`,
  async (store) => {
    const own = store === STORES[1];
    const how = `history over ${store}: seed ${SEED}, ${SECONDS} s (SKEP_HISTORY_SEED, SKEP_HISTORY_SECONDS, SKEP_HISTORY_STORE)`;
    console.log(how);
    await using swarm = await start(own);
    const asked = swarm.swarmds.slice(0, MANAGERS).map(({ socket }) => ({ socket, life: 0 }));
    const recorder = new Recorder(asked);
    const troubles: string[] = [];
    const beganMs = performance.now();
    const note = (what: string): void => {
      const now = performance.now();
      troubles.push(`${((now - beganMs) / 1000).toFixed(1)} s (${now.toFixed(0)} ms): ${what}`);
    };
    const reborn = (manager: number): void => {
      const one = asked[manager];
      if (one) one.life += 1;
    };
    const network = await makeNetwork(swarm);

    const over = new AbortController();
    const { signal } = over;
    const nemesis = runNemesis({
      ...{ swarm, signal, reborn, note },
      ...(own ? {} : { storeDisk: storeDisk(swarm.hosts.all.at(-1)) }),
      managers: MANAGERS,
      random: seeded(SEED),
    });
    const clients = Array.from({ length: CLIENTS }, (_, at) =>
      runClient({ recorder, managers: MANAGERS, network, random: seeded(SEED + 1 + at), signal }),
    );
    const readers = asked.map((_, manager) => runReader(recorder, manager, signal));
    const all = [...clients, ...readers, nemesis];
    try {
      await Promise.race([sleep(SECONDS * 1000), Promise.all(all)]);
    } finally {
      over.abort();
      await Promise.allSettled(all);
    }
    await Promise.all(all);
    const { writes, sights, revisions } = recorder;
    const recorded = { writes: [...writes], sights: [...sights], revisions: [...revisions] };
    const end = await ending(swarm, recorder, { managers: MANAGERS, patienceMs: PATIENCE_MS });
    const found = check({ ...recorded, end });
    const words = [...recorder.words].map(([what, count]) => `${count} × ${what}`);
    const done = writes.filter(({ outcome }) => outcome === 'acknowledged').length;
    const old = recorded.sights.filter(({ isStale }) => isStale).length;
    console.log(
      `${how}: ${writes.length} writes, ${done} acknowledged, ${recorded.sights.length} lists, ${old} of them marked as old`,
    );
    if (found.length > 0 || process.env['HIST_DEBUG'])
      console.error([how, ...found, ...troubles, ...words, swarm.story()].join('\n'));
    expect(found).toEqual([]);
    // A machine that is busy with other things does little.
    expect(done).toBeGreaterThan(SECONDS / 30);
  },
  SECONDS * 1000 + PATIENCE_MS + 180_000,
);

/** Managers and workers, the managers' state folders and the store on small disks. */
function start(own: boolean): Promise<ManagerSwarm> {
  return ManagerSwarm.start([...MANAGERS_ENGINES, ...WORKERS_ENGINES], {
    managers: MANAGERS,
    plain: WORKERS_ENGINES.length,
    own,
    env: steppedClock,
    prepare: async ({ all }) => {
      for (const host of all.slice(0, MANAGERS))
        await smallDisk(host, host.diskFolder('swarmd'), own ? DISK_WITH_ETCD : DISK);
      if (own) return {};
      const { host, folder } = storeDisk(all.at(-1));
      await smallDisk(host, folder, DISK_WITH_ETCD);
      return { etcdData: `/proc/${host.initPid}/root${join(folder, 'data')}` };
    },
  });
}

function storeDisk(host: Host | undefined): { host: Host; folder: string } {
  if (!host) throw new Error('no host for the store');
  return { host, folder: host.diskFolder('store') };
}

async function makeNetwork(swarm: ManagerSwarm): Promise<string> {
  const made = await ask(swarm.at(0).socket, 'POST', '/v1.41/networks/create', {
    Name: 'field',
    Driver: 'overlay',
  });
  if (made.kind !== 'answer' || made.status !== 201) throw new Error(`no network: ${JSON.stringify(made)}`);
  return (made.value as { readonly Id: string }).Id;
}
