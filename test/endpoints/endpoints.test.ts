import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Endpoints as EndpointsService, type Update } from '../../proto/generated/skep/endpoints_pb.js';
import { TaskState } from '../../proto/generated/swarmkit/types_pb.js';
import { MONOTONIC } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { createDispatcher, type Dispatcher } from '../../src/dispatcher/index.ts';
import {
  connectEndpoints,
  createEndpoints,
  type Endpoints,
  type RemoteEndpoints,
} from '../../src/endpoints/index.ts';
import type { EndpointsUpdate, ServiceEndpoints } from '../../src/model/index.ts';
import {
  Agent,
  connectTo,
  joinSwarm,
  startTestSwarm,
  type AgentCredentials,
  type TestSwarm,
} from '../agents/index.ts';
import { attachment, INGRESS, networkRow, serviceRow, taskRow, tellToStop } from './rows.ts';

/** Generous: the machine may be busy. */
const SOON_MS = 30_000;
const WEB = serviceRow('web', 2);
const HIDDEN = serviceRow('hidden', 2, { networks: ['net-2'] });

let swarm: TestSwarm;
let endpoints: Endpoints;
let running: Promise<unknown>;
let end: AbortController;
const open: (() => unknown)[] = [];

beforeEach(async () => {
  let dispatcher: Dispatcher | undefined;
  let made: Endpoints | undefined;
  swarm = await startTestSwarm({
    routes: (router, context) => {
      // Asked for twice: for members and for strangers.
      made ??= createEndpoints(context);
      dispatcher ??= createDispatcher(context, {
        managerId: 'manager0',
        managers: () => [{ nodeId: 'manager0', addr: swarm.addr }],
        stopGate: made,
      });
      dispatcher.routes(router);
      made.routes(router);
    },
  });
  if (!made || !dispatcher) throw new Error('no routes were asked for');
  endpoints = made;
  end = new AbortController();
  running = Promise.all([endpoints.run(end.signal), dispatcher.run(end.signal)]);
  await swarm.store.update((tx) => {
    for (const id of [INGRESS, 'net-1', 'net-2']) tx.create('network', networkRow(id));
    tx.create('service', WEB);
    tx.create('service', HIDDEN);
  });
});

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
  end.abort();
  await running;
  await swarm.close();
  expect(swarm.lines.filter((line) => line.includes('level=error'))).toEqual([]);
});

/** A worker that has an address on the ingress network and on `net-1`. */
async function join(host: number): Promise<AgentCredentials> {
  const credentials = await joinSwarm({ addr: swarm.addr, token: swarm.workerToken() });
  await swarm.store.update((tx) => {
    const node = tx.get('node', credentials.nodeId);
    const attachments = [attachment(INGRESS, host), attachment('net-1', host)];
    if (node) tx.update('node', { ...node, attachments });
  });
  return credentials;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + SOON_MS;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${SOON_MS} ms`);
    await sleep(10);
  }
}

function clientOf(credentials?: AgentCredentials) {
  const rootPem = swarm.cluster().rootCa.certPem;
  const connection = connectTo(swarm.addr, { rootPem, ...(credentials ? { credentials } : {}) });
  open.push(() => connection.close());
  return createClient(EndpointsService, connection.transport);
}

/** A balancer on a worker that does what it is told while `isAlive`. */
class Remote {
  readonly services = new Map<string, ServiceEndpoints>();
  readonly updates: EndpointsUpdate[] = [];
  isAlive = true;
  readonly source: RemoteEndpoints;
  readonly #end = new AbortController();
  readonly #reading: Promise<void>;

  constructor(credentials: AgentCredentials) {
    this.source = connectEndpoints({
      managers: () => [swarm.addr],
      credentials: () => credentials,
      clock: MONOTONIC,
      random: Math.random,
      log: createLog('fatal'),
    });
    this.#reading = this.#read();
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const update of this.source.watch(this.#end.signal)) {
      this.updates.push(update);
      if (update.full) this.services.clear();
      for (const one of update.services) this.services.set(one.serviceId, one);
      for (const { serviceId } of update.goneServices) this.services.delete(serviceId);
      const rest = { problems: [], takenPorts: [], keepsClients: [] };
      if (this.isAlive) await this.source.report({ version: update.version, mode: 'nftables', ...rest });
    }
  }
}

function follow(credentials: AgentCredentials): Remote {
  const remote = new Remote(credentials);
  open.push(() => remote.close());
  return remote;
}

describe("over the swarm's port", () => {
  it("a worker's certificate reads what its node balances, and a stranger nothing", async () => {
    const worker = await join(21);
    const stop = new AbortController();
    open.push(() => stop.abort());
    const stream = clientOf(worker).watch({}, { signal: stop.signal })[Symbol.asyncIterator]();
    const { value } = (await stream.next()) as { value: Update };
    expect(value.networks.map(({ id }) => id)).toEqual([INGRESS, 'net-1']);
    expect(value.services.map(({ serviceId }) => serviceId)).toEqual(['web']);
    await expect(clientOf().watch({})[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: Code.PermissionDenied,
    });
    await expect(clientOf().report({})).rejects.toMatchObject({ code: Code.PermissionDenied });
    await swarm.store.update((tx) => tx.remove('node', worker.nodeId));
    await expect(stream.next()).rejects.toThrow('the node was removed');
    await expect(clientOf(worker).report({})).rejects.toBeInstanceOf(ConnectError);
  });

  it('a task is told to stop when every balancer has taken it out of its maps', async () => {
    const [one, two] = [await join(21), await join(22)];
    const agent = new Agent({ addr: swarm.addr, credentials: one });
    open.push(() => agent.close());
    await agent.until('a session', ({ sessionId }) => sessionId !== '');
    const balancers = [follow(one), follow(two)];
    const row = taskRow(WEB, one.nodeId, 11, {}, 'assigned');
    await swarm.store.update((tx) => tx.create('task', row));
    const states = (): (string | undefined)[] =>
      balancers.map(({ services }) => services.get('web')?.backends[0]?.state);
    await until('both send it connections', () => states().every((state) => state === 'serving'));

    let atStop: (string | undefined)[] = [];
    const stopped = agent.until('it is told to stop', ({ assigned }) => {
      if (assigned.tasks.get(row.id)?.desiredState !== TaskState.SHUTDOWN) return false;
      atStop = states();
      return true;
    });
    await tellToStop(swarm.store, row.id);
    await stopped;
    expect(atStop.filter((state) => state === 'serving')).toEqual([]);
    await until('it is gone from the maps', () => states().every((state) => state === undefined));
  });

  it('what is too much for one message comes whole', async () => {
    const worker = await join(21);
    const many = Array.from({ length: 40 }, (_, n) => serviceRow(`many-${n}`, 3));
    await swarm.store.batch(many, (tx, service) => void tx.create('service', service));
    const tasks = many.flatMap((service) =>
      Array.from({ length: 300 }, () => taskRow(service, worker.nodeId, 9)),
    );
    await swarm.store.batch(tasks, (tx, task) => void tx.create('task', task));
    await until('it is known', () => swarm.store.view.count('task') === tasks.length);
    const remote = follow(worker);
    await until('it has come', () => remote.services.size === many.length + 1);
    await until('each has its tasks', () =>
      many.every(({ id }) => remote.services.get(id)?.backends.length === 300),
    );
    const versions = remote.updates.map(({ version }) => version);
    expect(new Set(versions).size).toBe(versions.length);
    expect(remote.updates.filter(({ full }) => full)).toHaveLength(1);
  });

  it('a balancer finds its manager again, and what changed meanwhile', async () => {
    const worker = await join(21);
    const remote = follow(worker);
    await until('it follows', () => endpoints.reportOf(worker.nodeId) !== undefined);
    await swarm.reopenPort(async () => {
      await swarm.store.update((tx) => tx.create('task', taskRow(WEB, worker.nodeId, 11)));
    });
    await until('it is known', () => remote.services.get('web')?.backends.length === 1);
    await until('it is in force', () => endpoints.reportOf(worker.nodeId) !== undefined);
    const asked = endpoints.ask(worker.nodeId, 'web', AbortSignal.timeout(SOON_MS));
    await until('it is asked', () => remote.updates.some(({ questions }) => questions.length > 0));
    const [question] = remote.updates.flatMap(({ questions }) => questions);
    await remote.source.answer(question?.id ?? '', [{ verdict: 'ok', subject: 'rules', text: 'there' }]);
    expect(await asked).toEqual([{ verdict: 'ok', subject: 'rules', text: 'there' }]);
  });
});
