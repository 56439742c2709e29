import { afterEach, describe, expect, it } from 'vitest';
import { constrain, freshTask, hostPort, reserve, type TaskWishes } from '../../../test/placement/samples.ts';
import type { FakeTimes } from '../../../test/simulation/index.ts';
import { fakeContext, fakeStore, nodeFixture, type NodeWishes } from '../../../test/simulation/index.ts';
import type { Node, Task } from '../../model/index.ts';
import type { Store } from '../../store/index.ts';
import { runPlacing } from './run-placing.ts';

/** A store in fake time, and the loop on it. */
class Bench {
  readonly store: Store;
  readonly times: FakeTimes;
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  /** What the loop logged. */
  lines: readonly string[] = [];

  private constructor(store: Store, times: FakeTimes) {
    this.store = store;
    this.times = times;
  }

  static async create(): Promise<Bench> {
    const { store, times } = await fakeStore();
    const bench = new Bench(store, times);
    open.push(bench);
    return bench;
  }

  /** Starts the loop, on the store as another one may see it. */
  async start(store: Store = this.store): Promise<void> {
    const context = fakeContext(store, this.times);
    this.lines = context.lines;
    this.#loop = runPlacing(context, this.#stop.signal, { random: () => 0 });
    await this.times.settle();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await this.store.close();
  }

  async nodes(wishes: Readonly<Record<string, NodeWishes>>): Promise<void> {
    await this.store.update((tx) => {
      for (const [id, each] of Object.entries(wishes))
        tx.create('node', nodeFixture({ id, hostname: id, ...each }));
    });
    await this.times.advance(10);
  }

  async tasks(ids: readonly string[], wishes: TaskWishes = {}): Promise<void> {
    await this.store.batch(ids, (tx, id) => void tx.create('task', freshTask(id, wishes)));
    await this.times.advance(10);
  }

  async changeNode(id: string, change: (node: Node) => Partial<Node>): Promise<void> {
    await this.store.update((tx) => {
      const node = tx.get('node', id);
      if (node) tx.update('node', { ...node, ...change(node) });
    });
    await this.times.advance(10);
  }

  async changeTask(id: string, change: (task: Task) => Partial<Task>): Promise<void> {
    await this.store.update((tx) => {
      const task = tx.get('task', id);
      if (task) tx.update('task', { ...task, ...change(task) });
    });
    await this.times.advance(10);
  }

  async end(id: string, state: Task['status']['state'] = 'shutdown'): Promise<void> {
    await this.changeTask(id, (task) => ({
      status: { ...task.status, state, appliedAtMs: this.times.wallMs() },
    }));
  }

  task(id: string): Task {
    const task = this.store.view.get('task', id);
    if (!task) throw new Error(`there is no task ${id}`);
    return task;
  }

  /** The node of each task, or the words that say why it has none. */
  where(...ids: string[]): string[] {
    return ids.map((id) => {
      const { nodeId, status } = this.task(id);
      return status.state === 'pending' ? status.err : nodeId;
    });
  }
}

const open: Bench[] = [];
afterEach(async () => {
  for (const bench of open.splice(0)) await bench.stop();
});

const CPU = { spec: reserve({ nanoCpus: 4e9 }) };
const NO_CPU = 'no suitable node (insufficient resources on 1 node): resources: 4 CPUs not free of 4 CPUs: a';

describe('pending tasks', () => {
  it('get nodes evenly, and the state assigned', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {}, b: {} });
    await bench.tasks(['t1', 't2']);
    await bench.start();
    await bench.tasks(['t3', 't4']);
    const placed = bench.where('t1', 't2', 't3', 't4');
    expect(placed.filter((id) => id === 'a')).toHaveLength(2);
    expect(placed.filter((id) => id === 'b')).toHaveLength(2);
    expect(bench.task('t3').status).toMatchObject({
      state: 'assigned',
      message: 'scheduler assigned task to node',
      err: '',
      timestampMs: bench.times.wallMs() - 5,
    });
  });

  it('are left alone while they are new, and when they are to end', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {} });
    await bench.start();
    await bench.tasks(['new'], { state: 'new' });
    await bench.tasks(['over'], { desiredState: 'shutdown' });
    await bench.tasks(['ready'], { desiredState: 'ready' });
    expect(bench.task('new').status.state).toBe('new');
    expect(bench.task('over')).toMatchObject({ nodeId: '', status: { state: 'pending', err: '' } });
    expect(bench.where('ready')).toEqual(['a']);
    await bench.changeTask('new', (task) => ({ status: { ...task.status, state: 'pending' } }));
    expect(bench.where('new')).toEqual(['a']);
  });

  it('get named resources, each once', async () => {
    const bench = await Bench.create();
    const generic = ['g0', 'g1'].map((value) => ({ kind: 'gpu', value }));
    await bench.nodes({ a: { resources: { generic } } });
    await bench.start();
    await bench.tasks(['t1', 't2', 't3'], { spec: reserve({ generic: [{ kind: 'gpu', value: 1 }] }) });
    expect(bench.task('t1').assignedGenericResources).toEqual([generic[0]]);
    expect(bench.task('t2').assignedGenericResources).toEqual([generic[1]]);
    expect(bench.where('t3')[0]).toMatch(/^no suitable node \(insufficient resources on 1 node\)/);
    await bench.end('t1');
    expect(bench.task('t3').assignedGenericResources).toEqual([generic[0]]);
  });

  it('of networks go where the driver is', async () => {
    const bench = await Bench.create();
    await bench.store.update((tx) => {
      const driver = { name: 'weave', options: {} };
      tx.create('network', {
        id: 'net',
        spec: {
          annotations: { name: 'net', labels: {} },
          ipv6: false,
          internal: false,
          attachable: false,
          ingress: false,
          configOnly: false,
          nodeLocal: false,
        },
        allocated: { driver, ipam: { driver, configs: [] } },
      });
    });
    await bench.nodes({ a: {}, b: { description: { plugins: [{ type: 'Network', name: 'weave' }] } } });
    await bench.start();
    await bench.tasks(['t1', 't2'], { networkId: 'net' });
    expect(bench.where('t1', 't2')).toEqual(['b', 'b']);
  });
});

describe('without a suitable node', () => {
  it('says why, once, and places when a node comes', async () => {
    const bench = await Bench.create();
    await bench.start();
    await bench.tasks(['t1']);
    expect(bench.where('t1')).toEqual(['no suitable node']);
    expect(bench.task('t1').status.message).toBe('pending task scheduling');
    const { revision } = bench.store.view;
    await bench.times.advance(60_000);
    await bench.tasks(['other'], { state: 'new' });
    expect(bench.store.view.revision).toBe(revision + 1);
    await bench.nodes({ a: {} });
    expect(bench.where('t1')).toEqual(['a']);
    expect(bench.task('t1').status.err).toBe('');
  });

  it.each<[string, NodeWishes, (node: Node) => Partial<Node>]>([
    ['is ready', { state: 'down' }, ({ status }) => ({ status: { ...status, state: 'ready' } })],
    ['is active', { availability: 'drain' }, ({ spec }) => ({ spec: { ...spec, availability: 'active' } })],
    [
      'has the label',
      { labels: { zone: 'b' } },
      ({ spec }) => ({ spec: { ...spec, annotations: { name: '', labels: { zone: 'a' } } } }),
    ],
  ])('tries again when a node %s', async (_, wishes, change) => {
    const bench = await Bench.create();
    await bench.nodes({ a: { labels: { zone: 'a' }, ...wishes } });
    await bench.start();
    await bench.tasks(['t1'], { spec: constrain('node.labels.zone==a') });
    expect(bench.where('t1')[0]).toMatch(/^no suitable node \(.*1 node.*\): .*: a$/);
    await bench.changeNode('a', change);
    expect(bench.where('t1')).toEqual(['a']);
  });

  it('tries again when a task ends, or is removed', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {} });
    await bench.start();
    await bench.tasks(['t1', 't2', 't3'], CPU);
    expect(bench.where('t1', 't2', 't3')).toEqual(['a', NO_CPU, NO_CPU]);
    await bench.changeTask('t1', () => ({ desiredState: 'shutdown' }));
    expect(bench.where('t2')).toEqual([NO_CPU]);
    await bench.end('t1');
    expect(bench.where('t2', 't3')).toEqual(['a', NO_CPU]);
    await bench.store.update((tx) => tx.remove('task', 't2'));
    await bench.times.advance(10);
    expect(bench.where('t3')).toEqual(['a']);
  });

  it('tries again when a task is to end and its service has a most of replicas', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {} });
    await bench.start();
    const spec = { placement: { constraints: [], spreadOver: [], maxReplicas: 1, platforms: [] } };
    await bench.tasks(['t1', 't2'], { spec });
    expect(bench.where('t2')).toEqual([
      'no suitable node (max replicas per node limit exceed): max replicas: 1 there: a',
    ]);
    await bench.changeTask('t1', () => ({ desiredState: 'shutdown' }));
    expect(bench.where('t2')).toEqual(['a']);
  });

  it('tells the new ones at once, the others a changed reason after a while', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: { state: 'down' } });
    await bench.start();
    await bench.tasks(['t1']);
    await bench.nodes({ b: { state: 'down' } });
    await bench.tasks(['t2']);
    const one = 'no suitable node (1 node not available for new tasks): ready: down: a';
    const two = 'no suitable node (2 nodes not available for new tasks): ready: down: a, b';
    expect(bench.where('t1', 't2')).toEqual([one, two]);
    await bench.times.advance(2000);
    expect(bench.where('t1', 't2')).toEqual([two, two]);
  });

  it('one service does not wait for another', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {} });
    await bench.start();
    await bench.tasks(['big'], { serviceId: 'big', spec: reserve({ nanoCpus: 9e9 }) });
    await bench.tasks(['small'], CPU);
    expect(bench.where('big', 'small')).toEqual([
      'no suitable node (insufficient resources on 1 node): resources: needs 9 CPUs, has 4 CPUs: a',
      'a',
    ]);
  });
});

describe('tasks that came with a node', () => {
  it('are judged on that node only', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {}, b: { state: 'down' } });
    await bench.start();
    await bench.tasks(['ta'], { nodeId: 'a', slot: 0 });
    await bench.tasks(['tb'], { nodeId: 'b', slot: 0 });
    expect(bench.task('ta').status).toMatchObject({
      state: 'assigned',
      message: 'scheduler confirmed task can run on preassigned node',
    });
    expect(bench.where('tb')).toEqual(['1 node not available for new tasks: ready: down: b']);
    await bench.changeNode('b', ({ status }) => ({ status: { ...status, state: 'ready' } }));
    expect(bench.task('tb')).toMatchObject({ nodeId: 'b', status: { state: 'assigned', err: '' } });
  });

  it('wait for room there', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {}, b: {} });
    await bench.start();
    await bench.tasks(['t1'], { ...CPU, nodeId: 'a', slot: 0, serviceId: 'one' });
    await bench.tasks(['t2'], { ...CPU, nodeId: 'a', slot: 0, serviceId: 'two' });
    expect(bench.task('t2').status.err).toBe(
      'insufficient resources on 1 node: resources: 4 CPUs not free of 4 CPUs: a',
    );
    await bench.end('t1');
    expect(bench.task('t2')).toMatchObject({ nodeId: 'a', status: { state: 'assigned' } });
  });

  it('of a node that is not there wait until it is', async () => {
    const bench = await Bench.create();
    await bench.start();
    await bench.tasks(['t1'], { nodeId: 'a', slot: 0 });
    expect(bench.task('t1').status).toMatchObject({ state: 'pending', err: '' });
    await bench.nodes({ a: {} });
    expect(bench.task('t1').status.state).toBe('assigned');
  });

  it('attachments, which are of no service, have nothing to do with one another', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {}, b: { availability: 'pause' } });
    await bench.start();
    const attachment = (nodeId: string, containerId: string): TaskWishes => ({
      serviceId: '',
      specVersion: 0,
      slot: 0,
      nodeId,
      spec: { attachment: { containerId } },
    });
    await bench.tasks(['t1'], attachment('a', 'c1'));
    await bench.tasks(['t2'], attachment('b', 'c2'));
    expect(bench.task('t1').status.state).toBe('assigned');
    expect(bench.task('t2').status.err).toMatch(/^1 node not available for new tasks/);
  });
});

describe('after a start', () => {
  it('what is in the store counts: tasks, ports, failures', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {}, b: {}, c: {} });
    await bench.tasks(['old'], { state: 'running', nodeId: 'a', ports: [hostPort(80)] });
    await bench.tasks(['down'], { state: 'running', nodeId: 'gone', ports: [hostPort(80)] });
    await bench.tasks(['f1', 'f2', 'f3', 'f4', 'f5'], { nodeId: 'b' });
    for (const id of ['f1', 'f2', 'f3', 'f4', 'f5']) await bench.end(id, 'failed');
    await bench.tasks(['t1', 't2', 't3'], { ports: [hostPort(80)] });
    await bench.start();
    expect(bench.where('t1', 't2', 't3')).toEqual([
      'c',
      'b',
      'no suitable node (host-mode port already in use on 3 nodes): port: 80/tcp: a, b, c',
    ]);
  });

  it('tasks of a node that comes later count on it', async () => {
    const bench = await Bench.create();
    await bench.tasks(['old'], { ...CPU, state: 'running', nodeId: 'a' });
    await bench.start();
    await bench.nodes({ a: {} });
    await bench.tasks(['t1'], CPU);
    expect(bench.where('t1')).toEqual([NO_CPU]);
  });
});

it('tasks that fail on a node go elsewhere', async () => {
  const bench = await Bench.create();
  await bench.nodes({ a: { labels: { zone: 'a' } }, b: {} });
  await bench.start();
  await bench.tasks(['ok'], { nodeId: 'b', state: 'running' });
  for (let n = 0; n < 5; n++) {
    await bench.tasks([`t${n}`]);
    expect(bench.where(`t${n}`)).toEqual(['a']);
    await bench.end(`t${n}`, n % 2 ? 'failed' : 'rejected');
  }
  await bench.tasks(['t5']);
  expect(bench.where('t5')).toEqual(['b']);
  await bench.times.advance(300_000);
  await bench.tasks(['t6']);
  expect(bench.where('t6')).toEqual(['a']);
});

describe('lost races', () => {
  /** A store in which something else is written just before the first placement. */
  function overtaken(store: Store, first: () => Promise<void>): Store {
    let isFirst = true;
    return {
      view: store.view,
      update: (change) => store.update(change),
      lock: store.lock,
      watch: (listener) => store.watch(listener),
      caughtUp: () => Promise.resolve(true),
      layout: 1,
      close: () => store.close(),
      batch: async (items, change) => {
        if (isFirst) {
          isFirst = false;
          await first();
        }
        await store.batch(items, change);
      },
    };
  }

  it('a node that is no longer ready gets nothing', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {}, b: { state: 'down' } });
    await bench.tasks(['t1']);
    await bench.start(
      overtaken(bench.store, () =>
        bench.store.update((tx) => {
          for (const node of [...tx.all('node')]) {
            const state = node.id === 'a' ? 'down' : 'ready';
            tx.update('node', { ...node, status: { ...node.status, state } });
          }
        }),
      ),
    );
    await bench.times.advance(20);
    expect(bench.where('t1')).toEqual(['b']);
  });

  it('a task that is to end, has a node or is gone is left alone, and takes no room', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: { resources: { nanoCpus: 12e9 } }, b: { state: 'down' } });
    await bench.tasks(['ends', 'moved', 'gone'], CPU);
    await bench.start(
      overtaken(bench.store, () =>
        bench.store.update((tx) => {
          const [ends, moved] = [tx.get('task', 'ends'), tx.get('task', 'moved')];
          if (ends) tx.update('task', { ...ends, desiredState: 'shutdown' });
          if (moved)
            tx.update('task', { ...moved, nodeId: 'b', status: { ...moved.status, state: 'assigned' } });
          tx.remove('task', 'gone');
        }),
      ),
    );
    await bench.tasks(['t1', 't2', 't3', 't4'], CPU);
    expect(bench.task('ends')).toMatchObject({ nodeId: '', status: { state: 'pending', err: '' } });
    expect(bench.task('moved').nodeId).toBe('b');
    expect(bench.where('t1', 't2', 't3')).toEqual(['a', 'a', 'a']);
    expect(bench.where('t4')[0]).toMatch(/^no suitable node/);
  });

  it('what was changed meanwhile beside the placement stays', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: {} });
    await bench.tasks(['t1'], { desiredState: 'ready' });
    await bench.start(
      overtaken(bench.store, () =>
        bench.store.update((tx) => {
          const task = tx.get('task', 't1');
          if (task) tx.update('task', { ...task, desiredState: 'running' });
        }),
      ),
    );
    expect(bench.task('t1')).toMatchObject({ nodeId: 'a', desiredState: 'running' });
  });

  it('a store that refuses is asked again, and nothing is booked for nothing', async () => {
    const bench = await Bench.create();
    await bench.nodes({ a: { resources: { nanoCpus: 8e9 } } });
    await bench.tasks(['t1', 't2'], CPU);
    await bench.start(
      overtaken(bench.store, async () => {
        await bench.store.update((tx) => tx.remove('task', 't1'));
        throw new Error('disk full');
      }),
    );
    expect(bench.task('t2').status.state).toBe('pending');
    await bench.tasks(['t3', 't4'], CPU);
    await bench.times.advance(1000);
    expect(bench.where('t2', 't3')).toEqual(['a', 'a']);
    expect(bench.where('t4')[0]).toMatch(/^no suitable node/);
    expect(bench.lines.join('')).toContain('disk full');
  });
});

it('ends when told, with nothing left waiting', async () => {
  const bench = await Bench.create();
  await bench.nodes({ a: { state: 'down' } });
  await bench.start();
  await bench.tasks(['t1']);
  await bench.nodes({ b: { state: 'down' } });
  await bench.stop();
  open.splice(open.indexOf(bench), 1);
  expect(bench.times.waiting).toBe(0);
});
