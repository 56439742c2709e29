import { setTimeout as sleep } from 'node:timers/promises';
import type { ManagerSwarm } from '../managers/manager-swarm.ts';
import type { Seeded } from '../seeded.ts';

export interface NemesisOptions {
  readonly swarm: ManagerSwarm;
  readonly managers: number;
  readonly random: Seeded;
  readonly signal: AbortSignal;
  /** A manager's process is about to begin anew. */
  readonly reborn: (manager: number) => void;
  readonly note: (what: string) => void;
}

const DOWN_MS = [500, 6_000] as const;
const CALM_MS = [500, 3_000] as const;

/** Hurts managers and their store until the signal fires; everything is healed when it returns. */
export async function runNemesis(options: NemesisOptions): Promise<void> {
  const { random, signal, managers } = options;
  while (!signal.aborted) {
    const order = Array.from({ length: managers }, (_, at) => at).toSorted(() => random.next() - 0.5);
    // As a rule one, sometimes two at a time, now and then all.
    const count = random.pick([1, 1, 1, 1, 2, 2, managers]);
    const troubles = order.slice(0, count).map((manager) => trouble(options, manager));
    if (options.swarm.etcd && random.next() < 0.1) troubles.push(storeRestart(options));
    await Promise.all(troubles);
    await sleep(random.whole(...CALM_MS));
  }
}

async function trouble(options: NemesisOptions, manager: number): Promise<void> {
  const { swarm, random, managers, note } = options;
  const { host } = swarm.at(manager);
  const daemon = swarm.at(manager);
  const downMs = random.whole(...DOWN_MS);
  const { etcd } = swarm;
  const ofStore = etcd ? (['cut from store'] as const) : [];
  const kind = random.pick(['kill', 'freeze', 'cut', 'cut from managers', ...ofStore] as const);
  note(`manager ${manager}: ${kind} for ${downMs} ms`);
  switch (kind) {
    case 'kill':
      options.reborn(manager);
      await daemon.kill();
      await sleep(downMs / 3);
      await daemon.start();
      note(`manager ${manager}: started`);
      return;
    case 'freeze':
      daemon.pause();
      await sleep(downMs);
      daemon.resume();
      return;
    case 'cut':
      await host.cutLink();
      await sleep(downMs);
      await host.healLink();
      return;
    case 'cut from store':
      return deaf(swarm, manager, [etcd?.endpoint.replace(/:.*/, '') ?? ''], downMs);
    case 'cut from managers': {
      const others = swarm.hosts.all.slice(0, managers).filter((other) => other !== host);
      return deaf(
        swarm,
        manager,
        others.map(({ ip }) => ip),
        downMs,
      );
    }
  }
}

/** Nothing that these say reaches a manager's host, so no connection between them goes on. */
async function deaf(
  swarm: ManagerSwarm,
  manager: number,
  addresses: readonly string[],
  downMs: number,
): Promise<void> {
  const { host } = swarm.at(manager);
  const rules = (verb: '-I' | '-D'): Promise<unknown> =>
    Promise.all(
      addresses.map((address) =>
        host.exec('iptables', '-w', verb, 'INPUT', '-p', 'tcp', '-s', address, '-j', 'DROP'),
      ),
    );
  await rules('-I');
  await sleep(downMs);
  await rules('-D');
}

async function storeRestart({ swarm, random, note }: NemesisOptions): Promise<void> {
  note('the store: killed');
  await swarm.etcd?.kill();
  await sleep(random.whole(100, 2_000));
  await swarm.etcd?.start();
}
