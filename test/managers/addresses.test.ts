import { afterEach, expect, test } from 'vitest';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { ManagerSwarm } from './manager-swarm.ts';

/** Managers whose hosts get other addresses, as DHCP may have it. */
const MINUTES_MS = 300_000;

let swarm: ManagerSwarm | undefined;

afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.error(swarm?.story());
  await swarm?.[Symbol.asyncDispose]();
  swarm = undefined;
});

interface NodeJson {
  readonly Status: { readonly State: string; readonly Addr: string };
  readonly ManagerStatus?: { readonly Reachability: string; readonly Addr: string };
}

/** The host's address of before, with another last byte. */
const another = (ip: string): string => ip.replace(/\d+$/, (byte) => String(Number(byte) + 100));

/** Until a manager shows the node of a host as reachable and ready at the address that it has now. */
const shownAt = (one: ManagerSwarm, asked: number, index: number) =>
  eventually(`host ${asked} shows host ${index} at its new address`, async () => {
    const { name, ip } = one.hosts.at(index);
    const { code, stdout, stderr } = await one.at(asked).tryDocker(['node', 'inspect', name]);
    if (code !== 0) throw new Error(stderr);
    const [node] = JSON.parse(stdout) as NodeJson[];
    const { Status, ManagerStatus } = node ?? {};
    const isThere =
      ManagerStatus?.Reachability === 'reachable' &&
      ManagerStatus.Addr === `${ip}:2377` &&
      Status?.State === 'ready' &&
      Status.Addr === ip;
    if (!isThere) throw new Error(stdout);
    return true;
  });

const writeAgain = (one: ManagerSwarm, index: number, name: string) =>
  eventually(`${name} is written`, async () => {
    const { code, stderr } = await one.at(index).tryDocker(['config', 'create', name, '/etc/hostname']);
    if (code !== 0 && !stderr.includes('already exists')) throw new Error(stderr);
    return true;
  });

test(
  'with an etcd of their own: a manager that returns at another address is one as before; so is one that gets it while it runs',
  async () => {
    swarm = await ManagerSwarm.start(['20.10', '28.5', '20.10'], { managers: 3, own: true });
    const moved = swarm.hosts.at(2);
    await moved.powerOff();
    await moved.moveTo(another(moved.ip));
    await moved.powerOn();
    await swarm.at(2).start();
    await shownAt(swarm, 0, 2);

    // It carries the swarm now: with the first one off, each of the others is needed.
    await swarm.at(0).kill();
    await writeAgain(swarm, 1, 'by-the-one-that-stayed');
    await writeAgain(swarm, 2, 'by-the-one-that-moved');
    await swarm.at(0).start();
    await swarm.nodes(0, (rows) => rows.every(({ ManagerStatus }) => ManagerStatus !== 'Unreachable'));

    const first = swarm.hosts.at(0);
    await first.moveTo(another(first.ip));
    await shownAt(swarm, 1, 0);
    await writeAgain(swarm, 0, 'from-the-new-address');
    const peers = await swarm.etcdctl(1, 'member', 'list');
    for (const { ip } of swarm.hosts) expect(peers).toContain(`https://${ip}:2388, https://${ip}:2387`);
    expect(await swarm.at(0).docker('swarm', 'join-token', 'worker')).toContain(`${first.ip}:2377`);
  },
  MINUTES_MS,
);

test(
  'with an etcd of the user’s: the one of two that returns at another address can lead',
  async () => {
    swarm = await ManagerSwarm.start(['28.5', '20.10'], { managers: 2 });
    const moved = swarm.hosts.at(1);
    await moved.powerOff();
    await moved.moveTo(another(moved.ip));
    await moved.powerOn();
    await swarm.at(1).start();
    await shownAt(swarm, 0, 1);
    await swarm.at(0).kill();
    await writeAgain(swarm, 1, 'it-leads');
  },
  MINUTES_MS,
);

test(
  'the only manager goes on at its new address, and its engine with it',
  async () => {
    swarm = await ManagerSwarm.start(['20.10', '28.5'], { managers: 1, own: true });
    const [manager, worker] = [swarm.hosts.at(0), swarm.hosts.at(1)];
    await manager.powerOff();
    await manager.moveTo(another(manager.ip));
    await manager.powerOn();
    await swarm.at(0).start();
    await shownAt(swarm, 0, 0);
    // As with Docker's: a worker knows no other address.
    await worker.docker('swarm', 'leave', '--force');
    await swarm.join(worker, 'worker');
    await swarm.nodes(0, (rows) => rows.filter(({ Status }) => Status === 'Ready').length === 2);
  },
  MINUTES_MS,
);
