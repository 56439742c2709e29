import { afterEach, describe, expect, it } from 'vitest';
import {
  startInProcess,
  taskFixture,
  type InProcess,
  type InProcessOptions,
} from '../../test/dispatcher/in-process.ts';

let swarm: InProcess | undefined;
afterEach(() => swarm?.stop());

async function start(wishes: InProcessOptions = {}): Promise<InProcess> {
  swarm = await startInProcess(wishes);
  return swarm;
}

const stateOf = ({ store }: InProcess, id = 'node-1'): string | undefined =>
  store.view.get('node', id)?.status.state;

describe('heartbeats', () => {
  it('keep a node ready, without a write', async () => {
    const { session, agent, times, store } = await start();
    const reader = await session('node-1');
    const { revision } = store.view;
    for (let beat = 0; beat < 20; beat++) {
      const { period } = await agent('node-1').heartbeat({ sessionId: reader.last?.sessionId ?? '' });
      expect(period).toMatchObject({ seconds: 1n, nanos: 0 });
      await times.advance(1000);
    }
    expect(store.view.revision).toBe(revision);
    expect(reader.ended).toBeUndefined();
  });

  it('that stay away three times make a node down, and end its session', async () => {
    const one = await start();
    const reader = await one.session('node-1');
    await one.times.advance(2900);
    expect(stateOf(one)).toBe('ready');
    await one.times.advance(500);
    expect(stateOf(one)).toBe('down');
    expect(one.store.view.get('node', 'node-1')?.status).toMatchObject({
      message: 'heartbeat failure',
      addr: '192.0.2.7',
    });
    expect(reader.ended?.message).toContain('node not registered');
    await one.session('node-1');
    expect(stateOf(one)).toBe('ready');
  });

  it('follow the period of the cluster, with a little jitter', async () => {
    const { session, agent, store } = await start({ options: { random: () => 1 } });
    const reader = await session('node-1');
    await store.update((tx) => {
      const cluster = tx.cluster();
      if (cluster) tx.update('cluster', { ...cluster, spec: { ...cluster.spec, heartbeatPeriodNs: 2e9 } });
    });
    const { period } = await agent('node-1').heartbeat({ sessionId: reader.last?.sessionId ?? '' });
    expect(Number(period?.seconds) + Number(period?.nanos) / 1e9).toBeCloseTo(2.1);
  });

  it('that no one could hear count for nobody', async () => {
    let lostMs = 0;
    const one = await start({
      nodes: 3,
      times: (times) => ({
        nowMs: () => times.nowMs() + lostMs,
        wallMs: () => times.wallMs() + lostMs,
        pause: (ms, signal) => times.pause(ms, signal),
      }),
    });
    const readers = [await one.session('node-1'), await one.session('node-2')];
    await one.times.advance(2500);
    lostMs += 2000;
    await one.times.advance(2500);
    expect([stateOf(one), stateOf(one, 'node-2')]).toEqual(['ready', 'ready']);
    lostMs += 3_600_000;
    await one.times.advance(29_000);
    expect([stateOf(one), stateOf(one, 'node-2'), stateOf(one, 'node-3')]).toEqual([
      'ready',
      'ready',
      'unknown',
    ]);
    expect(readers.map(({ ended }) => ended)).toEqual([undefined, undefined]);
    await one.times.advance(2000);
    expect(stateOf(one)).toBe('down');
  });
});

describe('a manager that the machine has little time for', () => {
  it('waits longer, and calls nobody down whom it had no time to hear', async () => {
    const slow = 4;
    const one = await start({
      times: (times) => ({
        nowMs: () => times.nowMs() * slow,
        wallMs: () => times.wallMs(),
        pause: (ms, signal) => times.pause(ms, signal),
      }),
    });
    const reader = await one.session('node-1');
    for (let beat = 0; beat < 10; beat++) {
      await one.times.advance((3500 / slow) * 1.2);
      await one.agent('node-1').heartbeat({ sessionId: reader.last?.sessionId ?? '' });
    }
    expect(stateOf(one)).toBe('ready');
    await one.times.advance(3500);
    expect(stateOf(one)).toBe('down');
  });
});

describe('a manager that starts', () => {
  it('gives up nodes whose hosts are silent, once half of all are back', async () => {
    const asked: string[] = [];
    const one = await start({
      nodes: 4,
      cluster: { heartbeatPeriodNs: 10e9 },
      beforeRun: (store) =>
        store.update((tx) => {
          for (const id of ['node-1', 'node-2', 'node-3', 'node-4']) {
            const node = tx.get('node', id);
            if (node) tx.update('node', { ...node, status: { ...node.status, addr: `of ${id}` } });
          }
        }),
      options: {
        isSilent: (host) => {
          asked.push(host);
          return Promise.resolve(host === 'of node-4');
        },
      },
    });
    await one.session('node-1');
    await one.times.advance(2500);
    expect(asked).toEqual([]);
    await one.session('node-2');
    await one.times.advance(2000);
    expect(new Set(asked)).toEqual(new Set(['of node-3', 'of node-4']));
    expect([stateOf(one, 'node-3'), stateOf(one, 'node-4')]).toEqual(['unknown', 'down']);
    await one.session('node-4');
    expect(stateOf(one, 'node-4')).toBe('ready');
  });

  it('calls nodes unknown, those that were down stay so, and nobody is down before the grace is over', async () => {
    const one = await start({ nodes: 3 });
    const reader = await one.session('node-1');
    await one.session('node-2');
    await one.times.advance(1500);
    await one.agent('node-1').heartbeat({ sessionId: reader.last?.sessionId ?? '' });
    await one.times.advance(2000);
    expect([stateOf(one), stateOf(one, 'node-2')]).toEqual(['ready', 'down']);
    await one.restart();
    expect([stateOf(one), stateOf(one, 'node-2')]).toEqual(['unknown', 'down']);
    expect(one.store.view.get('node', 'node-1')?.status.message).toBe(
      'Node moved to "unknown" state due to leadership change in cluster',
    );
    await one.times.advance(29_500);
    expect(stateOf(one)).toBe('unknown');
    await one.session('node-3');
    await one.times.advance(1000);
    expect([stateOf(one), stateOf(one, 'node-3')]).toEqual(['down', 'ready']);
    expect(one.store.view.get('node', 'node-1')?.status.message).toBe(
      'heartbeat failure for node in "unknown" state',
    );
  });
});

describe('a node that stays down', () => {
  it('has its tasks orphaned, those that may still run', async () => {
    const one = await start({
      options: { waits: { orphanAfterMs: 60_000, unknownGraceMs: 1000 } },
      beforeRun: async (store) => {
        const status = taskFixture().status;
        await store.update((tx) => {
          tx.create('task', taskFixture({ id: 'runs', status: { ...status, state: 'running' } }));
          tx.create('task', taskFixture({ id: 'fresh' }));
          tx.create('task', taskFixture({ id: 'ended', status: { ...status, state: 'failed' } }));
          tx.create('task', taskFixture({ id: 'early', status: { ...status, state: 'pending' } }));
        });
      },
    });
    await one.times.advance(2000);
    expect(stateOf(one)).toBe('down');
    await one.times.advance(58_000);
    const states = () =>
      ['runs', 'fresh', 'ended', 'early'].map((id) => one.store.view.get('task', id)?.status.state);
    expect(states()).toEqual(['running', 'assigned', 'failed', 'pending']);
    await one.times.advance(2000);
    expect(states()).toEqual(['orphaned', 'orphaned', 'failed', 'pending']);
    expect(one.store.view.get('task', 'runs')?.status.appliedBy).toBe('manager-1');
  });

  it('keeps them when it comes back in time', async () => {
    const one = await start({
      options: { waits: { orphanAfterMs: 60_000, unknownGraceMs: 1000 } },
      beforeRun: async (store) => {
        await store.update((tx) => tx.create('task', taskFixture({ id: 'fresh' })));
      },
    });
    await one.times.advance(30_000);
    expect(stateOf(one)).toBe('down');
    const reader = await one.session('node-1');
    for (let second = 0; second < 60; second++) {
      await one.times.advance(1000);
      await one.agent('node-1').heartbeat({ sessionId: reader.last?.sessionId ?? '' });
    }
    expect(one.store.view.get('task', 'fresh')?.status.state).toBe('assigned');
  });
});
