import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../hosts/index.ts';
import type { ManagerSwarm } from '../managers/manager-swarm.ts';
import type { Seeded } from '../seeded.ts';
import { stepClock } from './clocks.ts';
import { fillDisk, freeDisk } from './disks.ts';

export interface NemesisOptions {
  readonly swarm: ManagerSwarm;
  readonly managers: number;
  /** The small disk that the store is on. */
  readonly storeDisk?: { readonly host: Host; readonly folder: string };
  readonly random: Seeded;
  readonly signal: AbortSignal;
  /** A manager's process is about to begin anew. */
  readonly reborn: (manager: number) => void;
  readonly note: (what: string) => void;
}

const DOWN_MS = [500, 6_000] as const;
const CALM_MS = [500, 3_000] as const;
/** How far clocks are off, either way. */
const STEP_MS = [1_000, 600_000] as const;

/** Hurts managers and their store until the signal fires; everything is healed when it returns. */
export async function runNemesis(options: NemesisOptions): Promise<void> {
  const { random, signal, managers } = options;
  while (!signal.aborted) {
    const order = Array.from({ length: managers }, (_, at) => at).toSorted(() => random.next() - 0.5);
    // As a rule one, sometimes two at a time, now and then all.
    const count = random.pick([1, 1, 1, 1, 2, 2, managers]);
    const troubles = order.slice(0, count).map((manager) => trouble(options, manager));
    if (options.swarm.etcd && random.next() < 0.15)
      troubles.push(random.next() < 0.5 ? storeRestart(options) : storeFull(options));
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
  const kind = random.pick([
    ...(['kill', 'freeze', 'cut', 'cut from managers', 'full disk', 'clock', 'kill on a full disk'] as const),
    ...ofStore,
  ]);
  note(`manager ${manager}: ${kind} for ${downMs} ms`);
  switch (kind) {
    case 'kill':
      options.reborn(manager);
      await daemon.kill();
      await sleep(downMs / 3);
      await daemon.start();
      note(`manager ${manager}: started`);
      return;
    case 'full disk':
      await fillDisk(host, daemon.stateDir);
      await sleep(downMs);
      await freeDisk(host, daemon.stateDir);
      return;
    case 'kill on a full disk':
      return reborn(options, manager, downMs);
    case 'clock': {
      const offMs = random.whole(...STEP_MS) * random.pick([-1, 1]);
      note(`manager ${manager}: its clock is off by ${offMs} ms`);
      stepClock(host, offMs);
      await sleep(downMs);
      stepClock(host, 0);
      return;
    }
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

/** It may begin while its disk is full, or end in words and begin when there is room again. */
async function reborn(
  { swarm, note, reborn: tell }: NemesisOptions,
  manager: number,
  downMs: number,
): Promise<void> {
  const daemon = swarm.at(manager);
  const { host, stateDir } = daemon;
  await fillDisk(host, stateDir);
  tell(manager);
  await daemon.kill();
  const began = await daemon.start().then(
    () => true,
    () => false,
  );
  note(`manager ${manager}: ${began ? 'started' : 'did not start'} on a full disk`);
  await sleep(downMs / 3);
  await freeDisk(host, stateDir);
  if (!began) await daemon.start();
}

/** etcd ends when it can't write; whoever runs it starts it again when there is room. */
async function storeFull({ swarm, storeDisk, random, note }: NemesisOptions): Promise<void> {
  if (!storeDisk) return;
  note('the store: its disk is full');
  await fillDisk(storeDisk.host, storeDisk.folder);
  await sleep(random.whole(...DOWN_MS));
  await freeDisk(storeDisk.host, storeDisk.folder);
  await swarm.etcd?.kill();
  await swarm.etcd?.start();
}

async function storeRestart({ swarm, random, note }: NemesisOptions): Promise<void> {
  note('the store: killed');
  await swarm.etcd?.kill();
  await sleep(random.whole(100, 2_000));
  await swarm.etcd?.start();
}
