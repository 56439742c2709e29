import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startHosts, type Host, type Hosts } from '../hosts/index.ts';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { Swarmd } from '../swarm-mode/swarmd.ts';
import { at, fetchFrom, onHost, outside, tryFetch } from './places.ts';

/** How the balancing of a host begins and ends: on a manager, on workers of 20.10 and of today. Each test goes on from the former. */
const PORT = 8080;
const MINUTES_MS = 120_000;
const SWARM = '{{.Swarm.NodeID}} {{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}';

let hosts: Hosts;
let manager: Swarmd;
/** It joins by its swarmd; the other one by its engine, before it has a swarmd. */
let joiner: Swarmd;
let latecomer: Swarmd;

beforeAll(async () => {
  hosts = await startHosts({ count: 3, engine: ['20.10', '20.10', '28.5'] });
  [manager, joiner, latecomer] = hosts.all.map((host) => new Swarmd(host)) as [Swarmd, Swarmd, Swarmd];
  await Promise.all([manager.start(), joiner.start()]);
  await manager.docker('swarm', 'init', '--advertise-addr', manager.host.ip);
});
afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const { host, log } of [manager, joiner, latecomer])
    console.error(`${host.name}:\n${log.slice(-3000)}`);
});
afterAll(async () => {
  await Promise.allSettled([manager, joiner, latecomer].map((one) => one?.kill()));
  await hosts?.close();
});

const answers = ({ ip }: Host): Promise<string> =>
  eventually(`the published port at ${ip}`, async () => {
    const { code, stdout } = await tryFetch(outside, `http://${ip}:${PORT}/`);
    return code === 0 ? stdout : undefined;
  });

/** What of the balancer is on a host: its table, its openings in the engine's firewall. */
async function tracesOn(host: Host): Promise<string[]> {
  const seen = await Promise.all([
    at(onHost(host), 'nft', 'list', 'tables'),
    at(onHost(host), 'iptables', '-S', 'DOCKER-USER'),
  ]);
  return seen.flatMap(({ stdout }) => stdout.split('\n')).filter((line) => line.includes('skep'));
}

test(
  'a manager, a worker that joins by its swarmd, and one that had joined already balance by themselves',
  async () => {
    const token = await manager.docker('swarm', 'join-token', '-q', 'worker');
    const join = ['swarm', 'join', '--token', token, `${manager.host.ip}:2377`];
    expect(await joiner.docker(...join)).toContain('This node joined a swarm as a worker.');
    await latecomer.host.docker(...join);
    await latecomer.start();
    for (const worker of [joiner, latecomer]) {
      const own = await worker.host.docker('info', '--format', SWARM);
      expect(own).toMatch(/^[0-9a-z]{25} active false$/);
      expect(await worker.docker('info', '--format', SWARM)).toBe(own);
    }
    await manager.docker(
      ...['service', 'create', '--no-resolve-image', '--name', 'web', '-p', `${PORT}:80`],
      ...['--constraint', 'node.role==manager', 'nginx'],
    );
    for (const host of hosts) await answers(host);
  },
  MINUTES_MS,
);

test(
  'without its swarmd a host goes on; what it lost meanwhile it gets back from memory, while no manager answers',
  async () => {
    const { host } = joiner;
    await joiner.stop();
    await manager.kill();
    await fetchFrom(outside, `http://${host.ip}:${PORT}/`);
    await host.exec('nft', 'delete', 'table', 'ip', 'skep');
    expect((await tryFetch(outside, `http://${host.ip}:${PORT}/`)).code).not.toBe(0);
    await joiner.start();
    await answers(host);
    await manager.start();
    await eventually('a manager is followed again', async () => {
      return joiner.log.split('A manager tells what to balance').length > 2 || undefined;
    });
    await answers(host);
  },
  MINUTES_MS,
);

test(
  'a leave takes everything away: by swarmd before it ends, by the engine soon, with the manager at its end',
  async () => {
    for (const host of hosts) expect(await tracesOn(host)).not.toEqual([]);
    expect(await joiner.docker('swarm', 'leave')).toContain('Node left the swarm.');
    expect(await tracesOn(joiner.host)).toEqual([]);
    await latecomer.host.docker('swarm', 'leave');
    await eventually('nothing is left', async () =>
      (await tracesOn(latecomer.host)).length === 0 ? true : undefined,
    );
    for (const { host } of [joiner, latecomer])
      expect((await tryFetch(outside, `http://${host.ip}:${PORT}/`)).code).not.toBe(0);
    await answers(manager.host);
    await manager.docker('swarm', 'leave', '--force');
    expect(await tracesOn(manager.host)).toEqual([]);
  },
  MINUTES_MS,
);
