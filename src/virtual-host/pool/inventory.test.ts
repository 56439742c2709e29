import { describe, expect, it, vi } from 'vitest';
import { createLog } from '../../base/log.ts';
import type { Json } from '../../base/json.ts';
import { SchedulerNode } from '../../scheduler/index.ts';
import { ContainerIndex } from './container-index.ts';
import type { EngineNode } from './engine-node.ts';
import { Inventory } from './inventory.ts';

const ID = 'a'.repeat(64);

/** An engine whose answers wait until the test lets them go, each with what was true when it was asked. */
class SlowEngine {
  state = 'running';
  inspectStatus = 200;
  images: Json[] = [];
  held: (() => void)[] | undefined;
  readonly asked: string[] = [];

  answer<T>(value: T): Promise<T> {
    const { held } = this;
    return held ? new Promise((resolve) => held.push(() => resolve(value))) : Promise.resolve(value);
  }

  json(path: string): Promise<unknown> {
    this.asked.push(path);
    if (path.startsWith('/containers')) {
      return this.answer([{ Id: ID, Names: ['/web'], State: this.state, Status: '' }]);
    }
    if (path === '/images/json') return this.answer(this.images);
    return Promise.resolve(path === '/volumes' ? { Volumes: [] } : []);
  }

  call(path: string): Promise<unknown> {
    this.asked.push(path);
    const body = { HostConfig: { Memory: 64, NanoCpus: 1e9 }, State: {} };
    return Promise.resolve({ status: this.inspectStatus, body: Buffer.from(JSON.stringify(body)) });
  }
}

function inventoryOf(engine: SlowEngine): { inventory: Inventory; sched: SchedulerNode } {
  const facts = {
    id: 'E',
    name: 'core-01',
    address: '',
    labels: {},
    totalNanoCpus: 4e9,
    totalMemoryBytes: 1024,
  };
  const sched = new SchedulerNode(facts);
  const node = { client: engine, path: (path: string) => path, sched, cores: 4, healthy: true };
  const log = createLog('fatal', { write: () => undefined });
  return { inventory: new Inventory(node as unknown as EngineNode, new ContainerIndex(), log), sched };
}

describe('Inventory', () => {
  it('does not put the answer of an earlier reading in the place of a later one', async () => {
    const engine = new SlowEngine();
    const { inventory } = inventoryOf(engine);
    const { signal } = new AbortController();
    await inventory.load(signal);
    const held: (() => void)[] = [];
    engine.held = held;
    const refresh = inventory.load(signal);
    engine.held = undefined;
    engine.state = 'exited';
    engine.images = [{ Id: 'sha256:new' }];
    inventory.heard({ Type: 'container', Action: 'die', Actor: { ID } });
    inventory.heard({ Type: 'image', Action: 'pull', Actor: { ID: 'new' } });
    await inventory.settle();
    for (const letGo of held) letGo();
    await refresh;
    expect(inventory.containers.get(ID)?.state).toBe('exited');
    expect(inventory.images).toEqual(engine.images);
  });

  it('takes nothing from a reading that was begun before all was cleared', async () => {
    const engine = new SlowEngine();
    const { inventory } = inventoryOf(engine);
    const held: (() => void)[] = [];
    engine.held = held;
    const load = inventory.load(new AbortController().signal);
    inventory.clear();
    for (const letGo of held) letGo();
    await load;
    expect(inventory.containers.size).toBe(0);
  });

  it('keeps the reservation of a container whose inspection fails', async () => {
    const engine = new SlowEngine();
    const { inventory, sched } = inventoryOf(engine);
    await inventory.load(new AbortController().signal);
    expect([sched.usedNanoCpus, sched.usedMemoryBytes]).toEqual([1e9, 64]);
    engine.inspectStatus = 500;
    inventory.markContainer(ID);
    await inventory.settle();
    expect([sched.usedNanoCpus, sched.usedMemoryBytes]).toEqual([1e9, 64]);
  });

  it('asks a busy engine for all of what changed at once, and for later changes without waiting', async () => {
    const engine = new SlowEngine();
    const { inventory } = inventoryOf(engine);
    await inventory.load(new AbortController().signal);
    engine.asked.length = 0;
    const held: (() => void)[] = [];
    engine.held = held;
    inventory.markContainer(ID);
    const first = inventory.settle();
    inventory.markContainer(ID);
    const second = inventory.settle();
    const list = expect.stringContaining('/containers/json?') as unknown;
    const inspection = `/containers/${ID}/json`;
    expect(engine.asked).toEqual([inspection, list, inspection, list]);
    for (const letGo of held) letGo();
    await Promise.all([first, second]);
    expect(inventory.stale).toBe(false);
  });

  it('does not wait long for an engine that answers everything just in time', async () => {
    vi.useFakeTimers();
    try {
      const engine = new SlowEngine();
      const { inventory } = inventoryOf(engine);
      await inventory.load(new AbortController().signal);
      const held: (() => void)[] = [];
      engine.held = held;
      let settled = false;
      inventory.markContainer(ID);
      void inventory.settle().then(() => {
        settled = true;
      });
      inventory.mark('images');
      void inventory.settle();
      await vi.advanceTimersByTimeAsync(1_400);
      // The images, which nobody waits for in the end.
      held.pop()?.();
      await vi.advanceTimersByTimeAsync(500);
      expect(settled).toBe(false);
      await vi.advanceTimersByTimeAsync(300);
      expect(settled).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });
});
