import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDispatcher, type Dispatcher } from '../../src/dispatcher/index.ts';
import { Agent, joinSwarm, startTestSwarm, type AgentOptions, type TestSwarm } from '../agents/index.ts';
import { taskFixture } from './in-process.ts';

const AGENTS = 24;
const TASKS_EACH = 5;
const BACKOFF_MAX_MS = 200;
/** Generous: the machine may be busy. */
const SOON_MS = 30_000;

let swarm: TestSwarm;
let dispatcher: Dispatcher;
let end: AbortController;
let running: Promise<void>;
const agents: Agent[] = [];

beforeEach(async () => {
  let made: Dispatcher | undefined;
  swarm = await startTestSwarm({
    routes: (router, context) => {
      // Asked for twice: for members and for strangers.
      made ??= createDispatcher(context, {
        managerId: 'manager0',
        managers: () => [{ nodeId: 'manager0', addr: swarm.addr }],
        waits: { unknownGraceMs: SOON_MS },
      });
      dispatcher = made;
      dispatcher.routes(router);
    },
  });
  await setPeriod(1000);
  start();
});

afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
  await stop();
  await swarm.close();
});

function start(): void {
  end = new AbortController();
  running = dispatcher.run(end.signal);
}

async function stop(): Promise<void> {
  end.abort();
  await running;
}

async function setPeriod(ms: number): Promise<void> {
  await swarm.store.update((tx) => {
    const cluster = tx.cluster();
    if (cluster) tx.update('cluster', { ...cluster, spec: { ...cluster.spec, heartbeatPeriodNs: ms * 1e6 } });
  });
}

async function join(count: number, options: Partial<AgentOptions> = {}): Promise<Agent[]> {
  const { addr } = swarm;
  const joined: Agent[] = [];
  for (let number = 0; number < count; number++) {
    const credentials = await joinSwarm({ addr, token: swarm.workerToken() });
    joined.push(new Agent({ addr, credentials, backoffMaxMs: BACKOFF_MAX_MS, ...options }));
  }
  agents.push(...joined);
  await Promise.all(joined.map((agent) => agent.until('a session', ({ sessionId }) => sessionId !== '')));
  return joined;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + SOON_MS;
  while (!holds()) {
    if (Date.now() > deadline)
      throw new Error(`${what}: not within ${SOON_MS} ms\n${swarm.lines.slice(-20).join('')}`);
    await sleep(20);
  }
}

const stateOf = (nodeId: string): string => swarm.node(nodeId).status.state;
const tasks = () => [...swarm.store.view.all('task')];

async function place(on: readonly Agent[], each: number): Promise<void> {
  const places = on.flatMap(({ nodeId }) => Array.from({ length: each }, () => nodeId));
  await swarm.store.batch(places, (tx, nodeId) => void tx.create('task', taskFixture({ nodeId })));
}

describe('some dozens of agents over TLS', () => {
  it('run what they are given, live through a restart of the manager, and are missed when they fall silent', async () => {
    const all = await join(AGENTS);
    expect(all.every(({ nodeId }) => stateOf(nodeId) === 'ready' && dispatcher.connected(nodeId))).toBe(true);
    expect(swarm.node(all[0]?.nodeId ?? '').description?.engineVersion).toBe('28.5.2');
    await place(all, TASKS_EACH);
    await until('all run', () => tasks().every(({ status }) => status.state === 'running'));
    expect(tasks().every(({ status }) => status.appliedBy === 'manager0')).toBe(true);
    expect(tasks()).toHaveLength(AGENTS * TASKS_EACH);

    const before = all.map(({ sessionId }) => sessionId);
    await stop();
    await until('nobody has a session', () => all.every(({ nodeId }) => !dispatcher.connected(nodeId)));
    start();
    await until('all are back', () =>
      all.every(({ nodeId }) => stateOf(nodeId) === 'ready' && dispatcher.connected(nodeId)),
    );
    await Promise.all(
      all.map((agent, n) =>
        agent.until('another session', ({ sessionId }) => sessionId !== '' && sessionId !== before[n]),
      ),
    );
    expect(tasks().every(({ status }) => status.state === 'running')).toBe(true);
    expect(all.every(({ tasks }) => tasks.size === TASKS_EACH)).toBe(true);

    const [silent, ...others] = all;
    await silent?.close();
    await until('it is missed', () => stateOf(silent?.nodeId ?? '') === 'down');
    expect(others.map(({ nodeId }) => stateOf(nodeId))).toEqual(others.map(() => 'ready'));
    expect(swarm.lines.filter((line) => line.includes('level=error'))).toEqual([]);
  });

  it('stop and forget what they are told to', async () => {
    const [agent] = await join(1);
    if (!agent) return;
    await place([agent], 3);
    await until('all run', () => tasks().every(({ status }) => status.state === 'running'));
    await swarm.store.batch(tasks(), (tx, { id }) => {
      const task = tx.get('task', id);
      if (task) tx.update('task', { ...task, desiredState: 'remove' });
    });
    await until('all have ended', () => tasks().every(({ status }) => status.state === 'shutdown'));
    await swarm.store.batch(tasks(), (tx, { id }) => void tx.remove('task', id));
    await agent.until('it forgot them', (one) => one.tasks.size === 0);
  });

  it('are cut off when their node is removed', async () => {
    const [agent] = await join(1);
    if (!agent) return;
    await swarm.store.update((tx) => tx.remove('node', agent.nodeId));
    await agent.until('it is refused', ({ troubles }) =>
      troubles.some((words) => words.includes('not found')),
    );
    expect(dispatcher.connected(agent.nodeId)).toBe(false);
  });

  it('send their logs', async () => {
    const [one, two] = await join(2, {
      onSubscription: ({ id, close }, agent) => {
        if (close) return;
        const context = {
          serviceId: 'service-1',
          nodeId: agent.nodeId,
          taskId: [...agent.tasks.keys()][0] ?? '',
        };
        async function* messages() {
          for (let number = 0; number < 50; number++)
            yield {
              subscriptionId: id,
              messages: [{ context, stream: 1, data: Buffer.from(`line ${number}\n`) }],
            };
          yield { subscriptionId: id, close: true };
        }
        agent.publishLogs(messages()).catch(() => undefined);
      },
    });
    if (!one || !two) return;
    await place([one, two], 1);
    await until('all run', () => tasks().every(({ status }) => status.state === 'running'));
    const signal = AbortSignal.timeout(SOON_MS);
    const lines: string[] = [];
    const selector = { serviceIds: ['service-1'] };
    for await (const { nodeId, data } of dispatcher.logs.subscribe(selector, { follow: false }, signal))
      lines.push(`${nodeId} ${Buffer.from(data).toString()}`);
    expect(lines.filter((line) => line.startsWith(one.nodeId))).toHaveLength(50);
    expect(lines.filter((line) => line.startsWith(two.nodeId))).toEqual(
      Array.from({ length: 50 }, (_, number) => `${two.nodeId} line ${number}\n`),
    );
  });
});
