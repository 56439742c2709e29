import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ManagerSwarm } from '../managers/manager-swarm.ts';
import { seeded } from '../seeded.ts';
import { ask } from './ask.ts';
import { check } from './check/check.ts';
import { runClient, runReader } from './clients.ts';
import { ending } from './ending.ts';
import { runNemesis } from './nemesis.ts';
import { Recorder } from './recorder.ts';

const long = process.env['SKEP_TEST_LONG'] !== undefined;
const SECONDS = Number(process.env['SKEP_HISTORY_SECONDS'] ?? (long ? 3_600 : 60));
const SEED = Number(process.env['SKEP_HISTORY_SEED'] ?? (long ? Math.floor(Math.random() * 1e9) : 7));
/** Whether managers keep the state in an etcd of their own, or in one that is the user's. */
const OWN = process.env['SKEP_HISTORY_OWN'] !== undefined;
const MANAGERS_ENGINES = ['20.10', '28.5', '20.10'] as const;
/** Every further engine costs a busy machine many seconds before the first write. */
const WORKERS_ENGINES = long ? (['20.10', '28.5', '20.10'] as const) : (['28.5'] as const);
const MANAGERS = MANAGERS_ENGINES.length;
const CLIENTS = 5;
const PATIENCE_MS = 120_000;

test(
  `managers that die, freeze and are cut off lose nothing acknowledged (seed ${SEED}, ${SECONDS} s)`,
  async () => {
    const how = `history: seed ${SEED}, ${SECONDS} s (SKEP_HISTORY_SEED, SKEP_HISTORY_SECONDS)`;
    console.log(how);
    const engines = [...MANAGERS_ENGINES, ...WORKERS_ENGINES];
    const plain = WORKERS_ENGINES.length;
    await using swarm = await ManagerSwarm.start(engines, { managers: MANAGERS, plain, own: OWN });
    const asked = swarm.swarmds.slice(0, MANAGERS).map(({ socket }) => ({ socket, life: 0 }));
    const recorder = new Recorder(asked);
    const troubles: string[] = [];
    const beganMs = performance.now();
    const note = (what: string): void => {
      troubles.push(`${((performance.now() - beganMs) / 1000).toFixed(1)} s: ${what}`);
    };
    const reborn = (manager: number): void => {
      const one = asked[manager];
      if (one) one.life += 1;
    };
    const network = await makeNetwork(swarm);

    const over = new AbortController();
    const { signal } = over;
    const nemesis = runNemesis({ swarm, managers: MANAGERS, random: seeded(SEED), signal, reborn, note });
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
    console.log(`${how}: ${writes.length} writes, ${done} acknowledged, ${sights.length} lists`);
    if (found.length > 0 || process.env['HIST_DEBUG'])
      console.error([how, ...found, ...troubles, ...words, swarm.story()].join('\n'));
    expect(found).toEqual([]);
    expect(done).toBeGreaterThan(SECONDS / 6);
  },
  SECONDS * 1000 + PATIENCE_MS + 180_000,
);

async function makeNetwork(swarm: ManagerSwarm): Promise<string> {
  const made = await ask(swarm.at(0).socket, 'POST', '/v1.41/networks/create', {
    Name: 'field',
    Driver: 'overlay',
  });
  if (made.kind !== 'answer' || made.status !== 201) throw new Error(`no network: ${JSON.stringify(made)}`);
  return (made.value as { readonly Id: string }).Id;
}
