import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { startEtcd } from '../stores/etcd.ts';
import { registerEngines } from '../virtual-host/managers.ts';
import { ChaosManager } from './chaos-manager.ts';
import { runClient, type Wish } from './clients.ts';
import { seeded, type Seeded } from '../seeded.ts';

const long = process.env['SKEP_TEST_LONG'] !== undefined;
const SECONDS = Number(process.env['SKEP_CHAOS_SECONDS'] ?? (long ? 1200 : 110));
const SEED = Number(process.env['SKEP_CHAOS_SEED'] ?? (long ? Math.floor(Math.random() * 1e9) : 20));
const MANAGERS = 3;
const CLIENTS = 4;
const CALM_MS = 90_000;

/** What is on an engine, asked of itself. */
interface Found {
  readonly id: string;
  readonly name: string;
  readonly host: string;
}

test(
  `managers and engines that die, freeze and are cut off lose and double nothing (seed ${SEED}, ${SECONDS} s)`,
  async () => {
    console.log(`chaos: seed ${SEED}, ${SECONDS} s (SKEP_CHAOS_SEED, SKEP_CHAOS_SECONDS)`);
    await using etcd = await startEtcd();
    await using hosts = await startHosts({ count: 3 });
    await registerEngines(`etcd://${etcd.endpoint}/chaos`, hosts);
    await using stack = new AsyncDisposableStack();
    const managers: ChaosManager[] = [];
    for (let at = 0; at < MANAGERS; at += 1)
      managers.push(stack.use(await ChaosManager.start(`etcd://${etcd.endpoint}/chaos`)));
    await agreed(managers, hosts);

    const random = seeded(SEED);
    const over = new AbortController();
    const urls = managers.map((manager) => manager.url);
    const clients = Array.from({ length: CLIENTS }, (_, at) =>
      runClient({ managers: urls, random: seeded(SEED + at + 1), signal: over.signal, prefix: `c${at}` }),
    );
    const trouble = Promise.all([
      hurtManagers(managers, random, over.signal),
      hurtHosts(hosts, seeded(SEED + 1000), over.signal),
      sleep(SECONDS * 500).then(() => etcd.restart()),
    ]);
    await Promise.race([sleep(SECONDS * 1000), trouble]);
    over.abort();
    const wishes = (await Promise.all(clients)).flat();
    await trouble;
    await agreed(managers, hosts);

    const found = (await Promise.all([...hosts].map(containersOf))).flat();
    expect(twice(found)).toEqual([]);
    expect(broken(wishes, found)).toEqual([]);
    expect(wishes.filter((wish) => wish.id !== undefined).length).toBeGreaterThan(SECONDS / 2);
    const ids = found.map(({ id }) => id).sort();
    for (const manager of managers) {
      await until(`${manager.url} to know all ${ids.length} containers`, 30_000, async () =>
        JSON.stringify(await manager.containerIds()) === JSON.stringify(ids) ? true : undefined,
      );
    }
  },
  SECONDS * 1000 + 2 * CALM_MS + 120_000,
);

/** Until all managers name one primary and all engines are healthy for it. */
async function agreed(managers: readonly ChaosManager[], hosts: Hosts): Promise<void> {
  await until('one primary and healthy engines', CALM_MS, async () => {
    const states = await Promise.all(managers.map((manager) => manager.state()));
    const leaders = states.filter((state) => state.role === 'primary');
    const healthy = states.every((state) => state.healthy === hosts.all.length);
    return leaders.length === 1 && healthy ? true : undefined;
  });
}

async function hurtManagers(
  managers: readonly ChaosManager[],
  random: Seeded,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const manager = random.pick(managers);
    const downMs = random.whole(500, 8_000);
    switch (random.pick(['kill', 'freeze', 'cut', 'stop'])) {
      case 'kill':
        await manager.kill();
        await sleep(downMs / 2);
        await manager.startAgain();
        break;
      case 'stop':
        await manager.end();
        await manager.startAgain();
        break;
      case 'freeze':
        manager.freeze();
        await sleep(downMs);
        manager.thaw();
        break;
      case 'cut':
        manager.store.cut();
        await sleep(downMs);
        manager.store.heal();
        break;
    }
    await sleep(random.whole(500, 3_000));
  }
}

async function hurtHosts(hosts: Hosts, random: Seeded, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(random.whole(1_000, 5_000));
    const host = random.pick(hosts.all);
    const downMs = random.whole(500, 6_000);
    switch (random.pick(['cut', 'kill', 'freeze'])) {
      case 'cut':
        await host.cutLink();
        await sleep(downMs);
        await host.healLink();
        break;
      case 'kill':
        await host.kill();
        await sleep(downMs / 4);
        await host.start();
        break;
      case 'freeze':
        host.pause();
        await sleep(downMs);
        host.resume();
        break;
    }
  }
}

async function containersOf(host: Host): Promise<Found[]> {
  const lines = await host.docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}}');
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', name = ''] = line.split(' ');
      return { id, name, host: host.name };
    });
}

/** Names that more than one engine has, with where. */
function twice(found: readonly Found[]): string[] {
  const where = new Map<string, string[]>();
  for (const { name, host } of found) where.set(name, [...(where.get(name) ?? []), host]);
  return [...where]
    .filter(([, hosts]) => hosts.length > 1)
    .map(([name, hosts]) => `${name}: ${hosts.join(', ')}`);
}

/** Promises that were not kept: made and gone, or removed and there. */
function broken(wishes: readonly Wish[], found: readonly Found[]): string[] {
  const ids = new Set(found.map(({ id }) => id));
  return wishes.flatMap(({ name, id, removal }) => {
    if (id === undefined) return [];
    if (removal === undefined && !ids.has(id)) return [`${name} was made and is gone`];
    if (removal === 'acknowledged' && ids.has(id)) return [`${name} was removed and is there`];
    return [];
  });
}
