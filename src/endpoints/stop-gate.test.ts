import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  nodeRow,
  port,
  serviceRow,
  setState,
  taskRow,
  tellToStop,
  INGRESS,
} from '../../test/endpoints/rows.ts';
import { startInProcess, type InProcess } from '../../test/endpoints/in-process.ts';

let swarm: InProcess;
/** Tasks that were freed, in order. */
let freed: string[];

const WEB = serviceRow('web', 2);
/** Longer than anything gathers, shorter than anything lingers. */
const MOMENT_MS = 50;
const LINGER_MS = 200;
const MOST_MS = 3_000;

beforeEach(async () => {
  freed = [];
  await start();
});
afterEach(() => swarm.stop());

async function start(): Promise<void> {
  swarm = await startInProcess({
    nodes: 3,
    beforeRun: async (store) => {
      await store.update((tx) => {
        tx.create('service', WEB);
        for (const number of [1, 2, 3])
          tx.create('task', taskRow(WEB, 'node-1', 10 + number, { id: `task-${number}` }));
      });
    },
  });
  swarm.endpoints.onMayStop(({ id, nodeId }) => freed.push(`${id} of ${nodeId}`));
}

function mayStop(id: string): boolean {
  const task = swarm.store.view.get('task', id);
  if (!task) throw new Error(`no task ${id}`);
  return swarm.endpoints.mayStop(task);
}

describe('a task that is told to stop', () => {
  it('may at once where nobody follows', async () => {
    await tellToStop(swarm.store, 'task-1');
    expect(mayStop('task-1')).toBe(true);
  });

  it('waits until every balancer has said that it is out of the maps, and a moment for what is under way', async () => {
    const [one, two] = [await swarm.balancer('node-1'), await swarm.balancer('node-2')];
    two.isHeld = true;
    await tellToStop(swarm.store, 'task-1');
    expect(mayStop('task-1')).toBe(false);
    expect(mayStop('task-2')).toBe(true);
    await swarm.times.advance(MOMENT_MS);
    expect(one.states('net-1', 'web')).toMatchObject({ 'task-1': 'leaving', 'task-2': 'serving' });
    await swarm.times.advance(LINGER_MS);
    expect(mayStop('task-1')).toBe(false);
    await two.say();
    await swarm.times.advance(LINGER_MS - MOMENT_MS);
    expect(mayStop('task-1')).toBe(false);
    await swarm.times.advance(2 * MOMENT_MS);
    expect(mayStop('task-1')).toBe(true);
    expect(freed).toEqual(['task-1 of node-1']);
  });

  it('is waited for three seconds at most, and a balancer that was silent not again until it speaks', async () => {
    const silent = await swarm.balancer('node-1');
    silent.isHeld = true;
    await tellToStop(swarm.store, 'task-1');
    await swarm.times.advance(MOST_MS - MOMENT_MS);
    expect(mayStop('task-1')).toBe(false);
    await swarm.times.advance(2 * MOMENT_MS);
    expect(freed).toEqual(['task-1 of node-1']);
    await tellToStop(swarm.store, 'task-2');
    expect(mayStop('task-2')).toBe(true);
    await silent.say();
    await tellToStop(swarm.store, 'task-3');
    expect(mayStop('task-3')).toBe(false);
  });

  it('is not freed by a report of an older version, of another node, or of one that was never told', async () => {
    const one = await swarm.balancer('node-1');
    const before = one.last?.version ?? 0;
    one.isHeld = true;
    await tellToStop(swarm.store, 'task-1');
    await one.say({ version: Number.MAX_SAFE_INTEGER });
    await one.say({ version: before });
    await swarm.endpoints
      .sourceOf('node-2')
      .report({ version: before + 1_000, mode: 'nftables', problems: [], takenPorts: [], keepsClients: [] });
    await swarm.times.advance(MOMENT_MS + LINGER_MS);
    expect(mayStop('task-1')).toBe(false);
  });

  it('waits only for nodes that take part in its networks', async () => {
    await swarm.store.update((tx) => tx.create('node', nodeRow('node-4', 204, ['net-2', INGRESS])));
    const away = await swarm.balancer('node-4');
    away.isHeld = true;
    await tellToStop(swarm.store, 'task-1');
    expect(mayStop('task-1')).toBe(true);
  });

  it('waits for no balancer that leaves the work to the engine', async () => {
    await swarm.balancer('node-1', { mode: 'engine' });
    await tellToStop(swarm.store, 'task-1');
    expect(mayStop('task-1')).toBe(true);
  });

  it('may at once when it gets no connections: it starts, is told again, or was told before the manager started', async () => {
    await swarm.balancer('node-1');
    const row = taskRow(WEB, 'node-1', 20, { id: 'late' }, 'starting');
    await swarm.store.update((tx) => tx.create('task', row));
    await swarm.times.advance(MOMENT_MS);
    await tellToStop(swarm.store, 'late');
    await setState(swarm.store, 'late', 'running');
    expect(mayStop('late')).toBe(true);

    await tellToStop(swarm.store, 'task-1');
    await swarm.times.advance(2 * LINGER_MS);
    await tellToStop(swarm.store, 'task-1', 'remove');
    expect(mayStop('task-1')).toBe(true);

    await swarm.restart();
    await swarm.times.advance(10 * MOST_MS);
    expect(mayStop('task-1')).toBe(true);
  });

  it('has no say any more when it has ended, or its row is gone', async () => {
    const one = await swarm.balancer('node-1');
    one.isHeld = true;
    await tellToStop(swarm.store, 'task-1');
    await tellToStop(swarm.store, 'task-2');
    await setState(swarm.store, 'task-1', 'failed');
    expect(mayStop('task-1')).toBe(true);
    const task = swarm.store.view.get('task', 'task-2');
    await swarm.store.update((tx) => tx.remove('task', 'task-2'));
    expect(task && swarm.endpoints.mayStop(task)).toBe(true);
    await swarm.times.advance(2 * MOST_MS);
    expect(freed).toEqual([]);
  });

  it('is freed when nothing is told any more', async () => {
    const one = await swarm.balancer('node-1');
    one.isHeld = true;
    await tellToStop(swarm.store, 'task-1');
    await swarm.restart();
    expect(freed).toEqual(['task-1 of node-1']);
    expect(mayStop('task-1')).toBe(true);
  });

  it('waits also when its service is removed, or its node is drained: whatever the reason', async () => {
    await swarm.balancer('node-2');
    await swarm.store.update((tx) => tx.remove('service', 'web'));
    for (const id of ['task-1', 'task-2', 'task-3']) await tellToStop(swarm.store, id, 'remove');
    expect([mayStop('task-1'), mayStop('task-2'), mayStop('task-3')]).toEqual([false, false, false]);
    await swarm.times.advance(MOMENT_MS + LINGER_MS);
    expect(freed).toHaveLength(3);
  });

  it('waits also when its service was removed a while before: it is out of the maps here, but not everywhere', async () => {
    const two = await swarm.balancer('node-2');
    two.isHeld = true;
    await swarm.store.update((tx) => tx.remove('service', 'web'));
    await swarm.times.advance(MOMENT_MS);
    await tellToStop(swarm.store, 'task-1', 'remove');
    expect(mayStop('task-1')).toBe(false);
    await two.say();
    await swarm.times.advance(LINGER_MS + 1);
    expect(mayStop('task-1')).toBe(true);
    await tellToStop(swarm.store, 'task-2', 'remove');
    expect(mayStop('task-2')).toBe(true);
  });

  it('waits also when tasks for another target of its port have come just before', async () => {
    const mesh = serviceRow('mesh', 9, { networks: [INGRESS], ports: [port(80, 80)] });
    const old = taskRow(mesh, 'node-1', 30, { id: 'old' });
    await swarm.store.update((tx) => {
      tx.create('service', mesh);
      tx.create('task', old);
    });
    const three = await swarm.balancer('node-3');
    await swarm.times.advance(MOMENT_MS);
    three.isHeld = true;
    const next = serviceRow('mesh', 9, { networks: [INGRESS], ports: [port(80, 81)] });
    await swarm.store.update((tx) => {
      const service = tx.get('service', 'mesh');
      if (service && next.endpoint) tx.update('service', { ...service, endpoint: next.endpoint });
      tx.create('task', taskRow(next, 'node-2', 31, { id: 'fresh' }));
    });
    await swarm.times.advance(MOMENT_MS);
    expect(three.states(INGRESS, 'mesh')).toEqual({ old: 'leaving', fresh: 'serving' });
    await tellToStop(swarm.store, 'old');
    expect(mayStop('old')).toBe(false);
    await three.say();
    await swarm.times.advance(LINGER_MS + 1);
    expect(mayStop('old')).toBe(true);
  });

  it('waits on the mesh for every node', async () => {
    const mesh = serviceRow('mesh', 9, { networks: [INGRESS], ports: [port(80, 80)] });
    await swarm.store.update((tx) => {
      tx.create('service', mesh);
      tx.create('task', taskRow(mesh, 'node-1', 30, { id: 'mesh-1' }));
    });
    const three = await swarm.balancer('node-3');
    await swarm.times.advance(MOMENT_MS);
    three.isHeld = true;
    await tellToStop(swarm.store, 'mesh-1');
    await swarm.times.advance(MOST_MS / 2);
    expect(mayStop('mesh-1')).toBe(false);
    await three.say();
    await swarm.times.advance(LINGER_MS + 1);
    expect(mayStop('mesh-1')).toBe(true);
  });
});
