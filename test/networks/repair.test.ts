import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Host } from '../hosts/index.ts';
import { eventually } from '../swarm-mode/services/service-swarm.ts';
import { startNetworkSwarm, type NetworkSwarm } from './network-swarm.ts';
import { at, namespacesOf, onHost, outside } from './places.ts';

/** What others take away on a host is put back, on engines of either version. Each test goes on from the former. */
const PORT = 8080;
/** Each place is looked at within four seconds, and what was taken from it is told of three seconds later. */
const TOLD_MS = 9_000;
let swarm: NetworkSwarm;
let virtualIp: string;

beforeAll(async () => {
  swarm = await startNetworkSwarm({ swarmd: 3, engines: ['20.10', '20.10', '28.5'] });
  await swarm.swarmd.docker('network', 'create', '--driver', 'overlay', 'inner');
  await swarm.serve('web', ['--mode', 'global', '--network', 'inner', '-p', `${PORT}:80`]);
  virtualIp = await swarm.virtualIp('web', 'inner');
  await answered();
});
afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const { host, log } of swarm?.swarmds ?? []) console.error(`${host.name}:\n${log.slice(-3000)}`);
});
afterAll(async () => {
  await swarm?.[Symbol.asyncDispose]();
});

/** Waits until all tasks answer through the published port and the virtual IP, on all hosts. */
async function answered(): Promise<void> {
  const tasks = await swarm.running('web', 3);
  for (const { ip } of swarm.balancing) await swarm.answeredBy(outside, `http://${ip}:${PORT}/`, tasks);
  for (const task of tasks) await swarm.answeredBy(await swarm.inTask(task), `http://${virtualIp}/`, tasks);
}

/** How often each host has seen that something was taken away. */
function thefts(): number[] {
  return swarm.swarmds.map(({ log }) => log.split('taken away by somebody else').length - 1);
}

/** The same, when all of the tests before is told of. */
async function toldOfThefts(): Promise<number[]> {
  for (let before = thefts(); ; before = thefts()) {
    await sleep(TOLD_MS);
    if (thefts().join() === before.join()) return before;
  }
}

function onEach(act: (host: Host) => Promise<unknown>): Promise<unknown> {
  return Promise.all(swarm.balancing.map(act));
}

test('rules that were flushed, in the host and in the namespaces of load balancers', async () => {
  await onEach(async (host) => {
    await host.exec('nft', 'flush', 'ruleset');
    const all = (await namespacesOf(host)).filter((path) => /\/(ingress_sbox|lb_\w+)$/.test(path));
    expect(all.length).toBeGreaterThanOrEqual(2);
    for (const path of all) await host.exec('nsenter', `--net=${path}`, 'nft', 'flush', 'ruleset');
  });
  await answered();
});

test('an address that a namespace answered for', async () => {
  await onEach(async (host) => {
    const [path = ''] = (await namespacesOf(host)).filter((one) => /\/lb_\w+$/.test(one));
    await host.exec('nsenter', `--net=${path}`, 'ip', 'addr', 'del', `${virtualIp}/32`, 'dev', 'eth0');
  });
  // What is on its way does without it: it has to come back by itself.
  await eventually('it is there again on every host', async () => {
    const all = await Promise.all(
      swarm.balancing.map(async (host) => {
        const [path = ''] = (await namespacesOf(host)).filter((one) => /\/lb_\w+$/.test(one));
        return host.exec('nsenter', `--net=${path}`, 'ip', '-o', 'addr', 'show', 'dev', 'eth0');
      }),
    );
    return all.every((text) => text.includes(` ${virtualIp}/32 `)) || undefined;
  });
  await answered();
});

// Not the manager's: the other engines would not find its new gossip for a minute.
test('namespaces that engines make anew when they are restarted', async () => {
  const [, ...workers] = swarm.balancing;
  const before = await toldOfThefts();
  await Promise.all(workers.map((host) => host.restart()));
  await answered();
  expect(await toldOfThefts()).toEqual(before);
});

test("the openings in a firewall that drops what it does not know, with the engine's own rules flushed", async () => {
  await onEach(async (host) => {
    await host.exec('iptables', '-P', 'FORWARD', 'DROP');
    await host.exec('iptables', '-F');
  });
  await answered();
});

test('nobody else on a host gets a published port', async () => {
  await onEach(async (host) => {
    const refused = await at(onHost(host), 'busybox', 'nc', '-l', '-p', `${PORT}`);
    expect(refused.stderr).toContain('Address already in use');
  });
});
