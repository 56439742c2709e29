import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openStore, sqliteBackend, type Tx } from '../../src/store/index.ts';
import { startHosts, until, type Host, type Hosts } from '../hosts/index.ts';
import { certificateOf } from './certificates.ts';
import { idsOf, nodeIs, nodesOf, settled, type SeenContainer } from './observed.ts';
import { Swarmd } from './swarmd.ts';

/**
 * What a swarm outlasts: load, a manager that stands still, new certificates, the loss of the manager's state and power. Each test goes
 * on from the former.
 */
let hosts: Hosts;
let swarmd: Swarmd;
let manager: Host;
let worker: Host;
let replicas = 4;

const allSettled = (on: readonly Host[] = hosts.all): Promise<SeenContainer[]> =>
  settled(swarmd, on, { web: replicas });
const allReady = (): Promise<unknown> =>
  until('all nodes are ready', 40_000, async () => {
    return [...(await nodesOf(swarmd)).values()].every(({ state }) => state === 'ready') || undefined;
  });
const joinWorker = async (): Promise<void> => {
  const token = await swarmd.docker('swarm', 'join-token', '-q', 'worker');
  await worker.docker('swarm', 'join', '--token', token, `${manager.ip}:2377`);
};
const scale = async (to: number): Promise<void> => {
  replicas = to;
  await swarmd.docker('service', 'scale', '-d', `web=${to}`);
};

beforeAll(async () => {
  hosts = await startHosts({
    count: 2,
    engine: ['20.10', '28.5'],
    dockerdEnv: { DOCKER_SERVICE_PREFER_OFFLINE_IMAGE: '1' },
  });
  [manager, worker] = [hosts.at(0), hosts.at(1)];
  swarmd = await new Swarmd(manager).start();
  await swarmd.docker('swarm', 'init', '--advertise-addr', manager.ip);
  await joinWorker();
  await allReady();
  const create = ['service', 'create', '-d', '--no-resolve-image', '--restart-delay', '100ms', '--name'];
  await swarmd.docker(...create, 'web', '--replicas', `${replicas}`, 'nginx');
  await allSettled();
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(swarmd.log.slice(-4000));
});
afterAll(async () => {
  await swarmd?.kill();
  await hosts?.close();
});

const long = process.env['SKEP_TEST_LONG'] !== undefined;
const BUSY_MS = long ? 10 * 60_000 : 12_000;

test(
  'a busy machine, and a manager that stands still, call no node down',
  { timeout: BUSY_MS + 120_000 },
  async () => {
    const before = await allSettled();
    const hogs: ChildProcess[] = [];
    try {
      for (let at = 0; at < 4; at += 1)
        hogs.push(spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', 'while :; do :; done']));
      await sleep(BUSY_MS / 2);
      swarmd.pause();
      await sleep(8_000);
      swarmd.resume();
      await sleep(BUSY_MS / 2);
    } finally {
      swarmd.resume();
      for (const hog of hogs) hog.kill('SIGKILL');
      await Promise.all(hogs.map(ended));
    }
    await allReady();
    expect(swarmd.log).not.toContain('node is down');
    expect(idsOf(await allSettled())).toEqual(idsOf(before));
  },
);

test('engines that renewed their certificates come back with them, and go on with their tasks', async () => {
  const before = await allSettled();
  const held = hosts.all.map(certificateOf);
  await swarmd.stop();
  await rewrite(renewAll);
  await swarmd.start();
  for (const [at, host] of hosts.all.entries())
    await until(`${host.name} has renewed`, 30_000, () => certificateOf(host) !== held[at] || undefined);
  await swarmd.kill();
  await swarmd.start();
  await allReady();
  await scale(6);
  const after = await allSettled();
  expect(idsOf(after)).toEqual(expect.arrayContaining(idsOf(before)));
});

test('a backup replaces the state that was lost: no node notices, no container is restarted', async () => {
  const before = await allSettled();
  const file = manager.diskFolder('swarm.backup');
  expect(await swarmd.command('backup', file)).toMatchObject({ code: 0 });
  await scale(7);
  await allSettled();
  await swarmd.kill();
  await manager.exec('rm', '-rf', swarmd.stateDir);
  expect(await swarmd.command('restore', file)).toMatchObject({ code: 0 });
  await swarmd.start();
  replicas = 6;
  await allReady();
  // What was made after the backup is not in it, and goes.
  expect(idsOf(await allSettled())).toEqual(idsOf(before));
  await scale(8);
  expect(idsOf(await allSettled())).toEqual(expect.arrayContaining(idsOf(before)));
  expect(swarmd.log).not.toContain('node is down');
});

test('the host of the manager loses its power: what runs elsewhere goes on, what ran there runs again', async () => {
  const before = await allSettled();
  await manager.powerOff();
  await swarmd.kill();
  await manager.boot();
  await swarmd.start();
  await manager.start();
  await allReady();
  const after = await allSettled();
  expect(idsOf(after)).toEqual(expect.arrayContaining(idsOf(before, worker)));
  expect(swarmd.log).not.toContain('node is down');
});

test('an engine that runs renews a certificate that has expired, and goes on with its tasks', async () => {
  const before = await allSettled();
  const held = await expire();
  await swarmd.start();
  // It tries after longer and longer waits.
  await until('it has renewed', 120_000, () => certificateOf(worker) !== held || undefined);
  await allReady();
  expect(idsOf(await allSettled())).toEqual(expect.arrayContaining(idsOf(before, worker)));
});

test('one that was restarted since can join anew, and its node says so; the manager’s own does by itself', async () => {
  const former = (await nodesOf(swarmd)).get(worker.name)?.id ?? '';
  await expire();
  await Promise.all(hosts.all.map((host) => host.restart()));
  const error = await worker.docker('info', '--format', '{{.Swarm.Error}}');
  expect(error).toContain('certificate has expired');
  await swarmd.start();
  const words = await swarmd.docker('node', 'inspect', '--format', '{{.Status.Message}}', former);
  expect(words).toMatch(
    /its certificate has expired on .*: if its engine was restarted since, docker swarm leave/,
  );
  await nodeIs(swarmd, manager, 'ready');
  await worker.docker('swarm', 'leave', '--force');
  await joinWorker();
  await swarmd.docker('node', 'rm', '--force', former);
  await allReady();
  await allSettled();
});

/** Stops swarmd, and has the certificates of all engines expire; gives the worker's. */
async function expire(): Promise<string> {
  const held = hosts.all.map(certificateOf);
  await swarmd.stop();
  const usual = await rewrite((tx) => setExpiry(tx, LIFE_MS * NS_PER_MS, true));
  await swarmd.start();
  for (const [at, host] of hosts.all.entries())
    await until(
      `${host.name} has one for seconds`,
      30_000,
      () => certificateOf(host) !== held[at] || undefined,
    );
  await swarmd.kill();
  await rewrite((tx) => setExpiry(tx, usual));
  await sleep(LIFE_MS + 1_000);
  return certificateOf(worker);
}

const LIFE_MS = 8_000;
const NS_PER_MS = 1e6;

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Changes the state of a swarmd that is not running. SQLite takes no path into another process's mounts, so a copy is changed. */
async function rewrite<T>(change: (tx: Tx) => T): Promise<T> {
  const copy = mkdtempSync(join(tmpdir(), 'skep-state-'));
  try {
    cpSync(swarmd.stateDirHere, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    const store = await openStore(sqliteBackend(copy), {
      nowMs: Date.now,
      onFault: (error) => console.error(error),
    });
    const made = await store.update(change);
    await store.close();
    rmSync(swarmd.stateDirHere, { recursive: true });
    cpSync(copy, swarmd.stateDirHere, { recursive: true });
    return made;
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** For how long certificates are made out from now on, with `renews` those of all nodes. Gives what it was. */
function setExpiry(tx: Tx, nodeCertExpiryNs: number, renews = false): number {
  const cluster = tx.cluster();
  if (!cluster) throw new Error('there is no cluster');
  tx.update('cluster', { ...cluster, spec: { ...cluster.spec, nodeCertExpiryNs } });
  if (renews) renewAll(tx);
  return cluster.spec.nodeCertExpiryNs;
}

function renewAll(tx: Tx): void {
  for (const node of tx.all('node'))
    tx.update('node', { ...node, certificate: { ...node.certificate, state: 'rotate' } });
}
