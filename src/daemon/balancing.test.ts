import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  joinSwarm,
  renewCertificate,
  startTestSwarm,
  type AgentCredentials,
  type TestSwarm,
} from '../../test/agents/index.ts';
import type { Balancer, BalancerOptions } from '../balancer/index.ts';
import { createEndpoints, type Endpoints } from '../endpoints/index.ts';
import type { BalancerMode, EndpointsUpdate, MeshPortRef } from '../model/index.ts';
import { engineView } from './engine-view.ts';
import { readNodeCertificate } from './node-certificate.ts';
import { startDaemon, type TestDaemon } from './testing/daemon.ts';

/** A balancer that notes what it is told. */
class Noted implements Balancer {
  mode: BalancerMode = 'nftables';
  readonly updates: EndpointsUpdate[] = [];
  readonly options: BalancerOptions;
  hasEnded = false;

  constructor(options: BalancerOptions) {
    this.options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.say([]);
    for await (const update of this.options.source.watch(signal)) this.updates.push(update);
    this.hasEnded = true;
  }

  say(problems: readonly string[], takenPorts: readonly MeshPortRef[] = []): Promise<void> {
    const report = { version: 0, mode: this.mode, problems, takenPorts, keepsClients: [] };
    return this.options.source.report(report);
  }

  examine = (service: string) =>
    Promise.resolve([{ verdict: 'ok', subject: 'rules', text: `of ${service || 'all'}` } as const]);
  serviceId = (service: string) => (service === 'web' ? 'web-id' : undefined);
}

const ACTIVE = { LocalNodeState: 'active', NodeID: '', Error: '' };
const OUTSIDE = { LocalNodeState: 'inactive', NodeID: '', Error: '' };
const INIT = { ListenAddr: '127.0.0.1:2377', AdvertiseAddr: '127.0.0.1', DataPathAddr: '127.0.0.1' };

let disk: string;
let balancers: Noted[];
let daemon: TestDaemon;
/** What the next balancer finds to do. */
let balancerMode: BalancerMode;

beforeEach(async () => {
  disk = mkdtempSync(join(tmpdir(), 'balancing-'));
  balancers = [];
  balancerMode = 'nftables';
  daemon = await startDaemon({
    balancer: (options) => {
      const one = new Noted(options);
      one.mode = balancerMode;
      balancers.push(one);
      return one;
    },
  });
  daemon.folder.make();
});

afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(disk, { recursive: true });
});

const met = (what: () => boolean): Promise<void> =>
  expect.poll(what, { timeout: 10_000, interval: 2 }).toBe(true);
const warnings = async (): Promise<unknown> =>
  ((await daemon.call('GET', '/v1.41/info')).value as { Warnings?: unknown }).Warnings;

/** What an engine that has joined keeps. */
function keepCertificate({ certPem, keyPem, rootPem }: AgentCredentials): string {
  const folder = join(disk, 'swarm', 'certificates');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'swarm-node.crt'), certPem);
  // As SwarmKit writes it.
  writeFileSync(join(folder, 'swarm-node.key'), keyPem.replace('KEY-----\n', 'KEY-----\nkek-version: 0\n\n'));
  writeFileSync(join(folder, 'swarm-root-ca.crt'), rootPem);
  return disk;
}

/** A swarm with a manager that tells of endpoints. */
async function startSwarm(): Promise<TestSwarm> {
  const stop = new AbortController();
  let endpoints: Endpoints | undefined;
  let running: Promise<void> | undefined;
  const swarm = await startTestSwarm({
    routes: (router, context) => {
      endpoints ??= createEndpoints(context);
      endpoints.routes(router);
      running ??= endpoints.run(stop.signal);
    },
  });
  const close = async (): Promise<void> => {
    stop.abort();
    await running;
    await swarm.close();
  };
  return { ...swarm, addr: swarm.addr, close, [Symbol.asyncDispose]: close };
}

/** Has the fake engine be a worker of a swarm. */
async function enter(swarm: TestSwarm): Promise<AgentCredentials> {
  const node = await joinSwarm({ addr: swarm.addr, token: swarm.workerToken() });
  const { engine } = daemon;
  engine.dataRoot = keepCertificate(node);
  engine.managers = [swarm.addr];
  engine.becomes = node.nodeId;
  return node;
}

const joinIt = (): void => void (daemon.engine.swarm = { ...ACTIVE, NodeID: daemon.engine.becomes });

test('a host in no swarm has no balancer, and its kernel is left alone', async () => {
  await daemon.balancing.changed();
  expect(balancers).toEqual([]);
  expect(daemon.removals).toEqual([]);
  expect(existsSync(daemon.folder.balancerMemory)).toBe(false);
  expect(await warnings()).toBeUndefined();
});

test('a join through the daemon makes the host balance; a leave takes it away before it is answered', async () => {
  await using swarm = await startSwarm();
  const { nodeId } = await enter(swarm);
  const body = { RemoteAddrs: [swarm.addr], JoinToken: 'x', ListenAddr: '', AdvertiseAddr: '' };
  expect(await daemon.call('POST', '/v1.41/swarm/join', body)).toMatchObject({ status: 200 });
  await met(() => balancers[0]?.updates.length === 1);
  expect(balancers[0]?.options).toMatchObject({ nodeId, mode: 'auto' });
  expect(balancers[0]?.updates).toMatchObject([{ full: true }]);
  expect(existsSync(daemon.folder.balancerMemory)).toBe(true);
  expect(await daemon.call('POST', '/v1.41/swarm/leave?force=1')).toMatchObject({ status: 200 });
  expect(daemon.engine.asked).toContain('POST /swarm/leave?force=1');
  expect(balancers[0]?.hasEnded).toBe(true);
  expect(daemon.removals).toHaveLength(1);
  expect(existsSync(daemon.folder.balancerMemory)).toBe(false);
  await daemon.balancing.changed();
  expect(daemon.removals).toHaveLength(1);
  expect(balancers).toHaveLength(1);
});

test('an engine that had joined is found, and one that leaves by its own socket is too', async () => {
  await using swarm = await startSwarm();
  await enter(swarm);
  joinIt();
  await daemon.balancing.changed();
  await met(() => balancers[0]?.updates.length === 1);
  // Down, or busy: no reason to change anything.
  await daemon.engine.stop();
  await daemon.balancing.changed();
  await daemon.engine.start();
  daemon.engine.swarm = { ...ACTIVE, LocalNodeState: 'pending' };
  await daemon.balancing.changed();
  expect(daemon.removals).toEqual([]);
  daemon.engine.swarm = OUTSIDE;
  await daemon.balancing.changed();
  expect(daemon.removals).toHaveLength(1);
});

test('another swarm is a leave and a new beginning', async () => {
  await using first = await startSwarm();
  await enter(first);
  joinIt();
  await daemon.balancing.changed();
  await met(() => balancers[0]?.updates.length === 1);
  await using second = await startSwarm();
  const { nodeId } = await enter(second);
  // The files are new, and the engine has not said so yet.
  await daemon.balancing.changed();
  expect(balancers).toHaveLength(1);
  joinIt();
  await daemon.balancing.changed();
  expect(daemon.removals).toHaveLength(1);
  expect(balancers[0]?.hasEnded).toBe(true);
  await met(() => balancers[1]?.updates.length === 1);
  expect(balancers[1]?.options.nodeId).toBe(nodeId);
});

test("a worker's doctor looks at its own node, and says who knows of the others", async () => {
  await using swarm = await startSwarm();
  const { nodeId } = await enter(swarm);
  const examine = (query = '') => daemon.call('GET', `/v1.41/swarm/network-doctor${query}`);
  expect(await examine()).toMatchObject({ status: 503, message: /^This node is not a swarm manager/ });
  joinIt();
  await daemon.balancing.changed();
  await met(() => balancers[0]?.updates.length === 1);
  await balancers[0]?.say(['nft is missing']);
  const [manager] = swarm.addr.split(':');
  const others = `run "swarm network doctor web" on the host of a manager (${manager})`;
  expect(await examine('?service=web&node=self')).toMatchObject({
    status: 200,
    value: {
      Service: null,
      Findings: [],
      Nodes: [
        {
          ...{ ID: nodeId, State: 'unknown', Balancer: 'nftables' },
          Findings: [
            { Verdict: 'warning', Subject: 'other nodes', Text: expect.stringContaining(others) as string },
            { Verdict: 'fault', Subject: 'balancer', Text: 'nft is missing' },
            { Verdict: 'ok', Subject: 'rules', Text: 'of web-id' },
          ],
        },
      ],
    },
  });
  expect(await examine(`?node=${nodeId.slice(0, 9)}`)).toMatchObject({ status: 200 });
  expect(await examine('?service=__proto__')).toMatchObject({
    status: 404,
    message: 'service __proto__ not found among those that this node balances',
  });
  expect(await examine('?node=there')).toMatchObject({
    status: 503,
    message: `A worker's swarmd can only look at its own node: to look at there, run "swarm network doctor" on the host of a manager (${manager})`,
  });
});

test('a renewed certificate is shown over a new connection', async () => {
  await using swarm = await startSwarm();
  const node = await enter(swarm);
  joinIt();
  await daemon.balancing.changed();
  await met(() => balancers[0]?.updates.length === 1);
  keepCertificate(await renewCertificate(swarm.addr, node));
  await daemon.balancing.changed();
  await met(() => balancers[0]?.updates.length === 2);
  expect(balancers).toHaveLength(1);
});

test('what the balancer has to say is a warning of the host, and so is a certificate that cannot be read', async () => {
  await using swarm = await startSwarm();
  await enter(swarm);
  joinIt();
  await daemon.balancing.changed();
  await met(() => balancers.length === 1);
  expect(await warnings()).toBeUndefined();
  await balancers[0]?.say(['nft is missing (Debian: nftables)']);
  expect(await warnings()).toEqual(['WARNING: nft is missing (Debian: nftables)']);
  expect(await daemon.call('GET', '/v1.24/info')).toMatchObject({ value: { ID: 'engine' } });
  await balancers[0]?.say([], [{ protocol: 'tcp', published: 8080 }]);
  expect(await warnings()).toEqual([
    'WARNING: published port 8080/tcp is not answered by this host: something on it listens there already; ' +
      'stop that, or publish another port',
  ]);
  await balancers[0]?.say([]);
  expect(await warnings()).toBeUndefined();
  daemon.engine.dataRoot = '/nowhere';
  await daemon.balancing.changed();
  expect(await warnings()).toEqual([
    expect.stringContaining('/nowhere/swarm/certificates/swarm-node.crt: no such file or directory'),
  ]);
});

test('a swarm of its own is balanced, too, until it ends', async () => {
  const answer = await daemon.call('POST', '/v1.41/swarm/init', INIT);
  expect(answer).toMatchObject({ status: 200 });
  await met(() => balancers.length === 1);
  expect(balancers[0]?.options.nodeId).toBe(answer.value);
  await balancers[0]?.say(['no permission']);
  expect(await warnings()).toEqual(['WARNING: no permission']);
  expect(await daemon.call('POST', '/v1.41/swarm/leave')).toMatchObject({ status: 503 });
  expect(daemon.removals).toEqual([]);
  expect(await daemon.call('POST', '/v1.41/swarm/leave?force=1')).toMatchObject({ status: 200 });
  expect(balancers[0]?.hasEnded).toBe(true);
  expect(daemon.removals).toHaveLength(1);
});

test('a daemon that stops leaves the kernel as it is, and the next one clears away what is of the past', async () => {
  await using swarm = await startSwarm();
  await enter(swarm);
  joinIt();
  const stop = new AbortController();
  const running = daemon.balancing.run(stop.signal);
  await met(() => balancers[0]?.updates.length === 1);
  stop.abort();
  await running;
  expect(balancers[0]?.hasEnded).toBe(true);
  expect(daemon.removals).toEqual([]);
  // The engine is down: it goes on by what is remembered.
  await daemon.engine.stop();
  await daemon.restartBalancing().changed();
  await met(() => balancers[1]?.updates.length === 1);
  await daemon.engine.start();
  daemon.engine.swarm = OUTSIDE;
  await daemon.balancing.changed();
  expect(daemon.removals).toHaveLength(1);
});

test('a removal that fails is tried again, and said', async () => {
  await using swarm = await startSwarm();
  await enter(swarm);
  joinIt();
  await daemon.balancing.changed();
  daemon.engine.swarm = OUTSIDE;
  daemon.failRemovals('nft: no permission');
  await daemon.balancing.changed();
  expect(await warnings()).toEqual(["WARNING: what was balanced can't be removed: nft: no permission"]);
  daemon.failRemovals(undefined);
  await daemon.balancing.changed();
  expect(daemon.removals).toHaveLength(1);
  expect(await warnings()).toBeUndefined();
});

test.each(['worker', 'manager'] as const)('of a %s that never balanced nothing is removed', async (kind) => {
  balancerMode = 'none';
  await using swarm = await startSwarm();
  if (kind === 'manager') await daemon.call('POST', '/v1.41/swarm/init', INIT);
  else {
    await enter(swarm);
    joinIt();
  }
  await daemon.balancing.changed();
  await met(() => balancers.length === 1 && (kind === 'manager' || balancers[0]?.updates.length === 1));
  // Also by the memory of the next one.
  const stop = new AbortController();
  stop.abort();
  await daemon.balancing.run(stop.signal);
  await daemon.restartBalancing().changed();
  await met(() => balancers.length === 2);
  expect(await daemon.call('POST', '/v1.41/swarm/leave?force=1')).toMatchObject({ status: 200 });
  expect(daemon.removals).toEqual([]);
  expect(existsSync(daemon.folder.balancerMemory)).toBe(false);
  expect(await warnings()).toBeUndefined();
});

test('a leave that the engine refuses is told in its words, and changes nothing', async () => {
  await daemon.engine.stop();
  expect(await daemon.call('POST', '/v1.41/swarm/leave')).toMatchObject({
    status: 503,
    message: expect.stringContaining('Cannot connect to the Docker daemon at unix://') as string,
  });
});

test('the engine is asked for the sandboxes of running tasks, and of no others', async () => {
  const task = (Id: string, taskId: string, SandboxKey: string): void => {
    const Labels = { 'com.docker.swarm.task.id': taskId };
    daemon.engine.containers.set(Id, { Id, Labels, NetworkSettings: { SandboxKey } });
  };
  task('c1', 't1', '/var/run/docker/netns/1');
  task('c2', 't2', '');
  task('c3', 't3', '/var/run/docker/netns/3');
  const view = engineView(daemon.local);
  const { signal } = new AbortController();
  expect(await view.sandboxes(['t1', 't2', 'gone'], signal)).toEqual([
    { taskId: 't1', path: '/var/run/docker/netns/1' },
  ]);
  expect(await view.sandboxes([], signal)).toEqual([]);
  await daemon.engine.stop();
  await expect(view.sandboxes(['t1'], signal)).rejects.toThrow('engine');
});

test('files that are no node certificate are told of in words', async () => {
  await using swarm = await startSwarm();
  const { certPem, nodeId } = await enter(swarm);
  expect(readNodeCertificate(disk)).toMatchObject({ nodeId, clusterId: swarm.cluster().id, certPem });
  expect(readNodeCertificate(disk).keyPem).not.toContain('kek-version');
  writeFileSync(join(disk, 'swarm', 'certificates', 'swarm-node.crt'), 'half a');
  expect(() => readNodeCertificate(disk)).toThrow('is not one of a swarm node');
});
