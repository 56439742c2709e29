import { expect, it } from 'vitest';
import { networkRow, nodeRow, serviceRow, setState, taskRow } from '../../test/endpoints/rows.ts';
import { Balancer } from '../../test/endpoints/in-process.ts';
import { clusterFixture, fakeContext, fakeStore } from '../../test/simulation/index.ts';
import type { Store, View } from '../store/index.ts';
import { createEndpoints } from './endpoints.ts';

const SERVICES = 200;
const TASKS_EACH = 10;
const NODES = 50;

interface Reads {
  /** Tasks that were looked at through lists, by service. */
  readonly tasks: Map<string, number>;
  rows: number;
  /** Whole tables that were walked. */
  walks: number;
}

/** A store that counts what is read of it. */
function counted(store: Store, reads: Reads): Store {
  const { view } = store;
  const counting: View = {
    get revision() {
      return view.revision;
    },
    cluster: () => view.cluster(),
    get: (kind, id) => {
      reads.rows++;
      return view.get(kind, id);
    },
    all: (kind) => {
      reads.walks++;
      return view.all(kind);
    },
    count: (kind) => view.count(kind),
    byName: (kind, name) => view.byName(kind, name),
    *tasksOfService(serviceId) {
      for (const task of view.tasksOfService(serviceId)) {
        reads.tasks.set(serviceId, (reads.tasks.get(serviceId) ?? 0) + 1);
        yield task;
      }
    },
    tasksOfNode: (nodeId) => view.tasksOfNode(nodeId),
    servicesUsing: (kind, id) => view.servicesUsing(kind, id),
  };
  return {
    view: counting,
    update: (change) => store.update(change),
    batch: (items, change) => store.batch(items, change),
    lock: store.lock,
    watch: (listener) => store.watch(listener),
    caughtUp: () => Promise.resolve(true),
    layout: 1,
    close: () => store.close(),
  };
}

it("one task's change looks at its service alone, and tells each node of that", async () => {
  const { store, times } = await fakeStore();
  const nodes = Array.from({ length: NODES }, (_, n) => `node-${n}`);
  const services = Array.from({ length: SERVICES }, (_, n) => serviceRow(`service-${n}`, 1));
  await store.update((tx) => {
    tx.create('cluster', clusterFixture());
    tx.create('network', networkRow('net-1'));
  });
  await store.batch(nodes, (tx, id) => void tx.create('node', nodeRow(id, 2, ['net-1'])));
  await store.batch(services, (tx, service) => void tx.create('service', service));
  const tasks = services.flatMap((service) =>
    Array.from({ length: TASKS_EACH }, (_, n) =>
      taskRow(service, `node-${n % NODES}`, 3, { id: `${service.id}-${n}` }),
    ),
  );
  await store.batch(tasks, (tx, task) => void tx.create('task', task));

  const reads: Reads = { tasks: new Map(), rows: 0, walks: 0 };
  const context = { ...fakeContext(store, times), store: counted(store, reads) };
  const endpoints = createEndpoints(context);
  const end = new AbortController();
  const running = endpoints.run(end.signal);
  const balancers = nodes.map((id) => new Balancer(endpoints.sourceOf(id)));
  await times.advance(1_000);
  expect(balancers.map(({ services: known }) => known.size)).toEqual(nodes.map(() => SERVICES));

  const news = async (change: () => Promise<unknown>): Promise<string[]> => {
    const before = balancers.map(({ updates }) => updates.length);
    reads.tasks.clear();
    reads.rows = 0;
    reads.walks = 0;
    await change();
    await times.advance(100);
    return balancers.map(({ updates }, n) =>
      updates
        .slice(before[n])
        .map(
          ({ services: some, networks }) =>
            `${some.map(({ serviceId }) => serviceId).join()} ${networks.length}`,
        )
        .join('; '),
    );
  };

  expect(await news(() => setState(store, 'service-7-3', 'failed'))).toEqual(nodes.map(() => 'service-7 0'));
  expect([...reads.tasks]).toEqual([['service-7', TASKS_EACH]]);
  expect(reads.walks).toBe(0);
  // Each task's node, the service and its network; and for each report the node that sent it.
  expect(reads.rows).toBeLessThan(5 * TASKS_EACH + 2 * NODES);

  // A node's loss concerns the services of its tasks.
  const down = (id: string) =>
    store.update((tx) => {
      const node = tx.get('node', id);
      if (node) tx.update('node', { ...node, status: { ...node.status, state: 'down' } });
    });
  expect(await news(() => down('node-40'))).toEqual(nodes.map(() => ''));
  expect([...reads.tasks]).toEqual([]);
  await store.update((tx) => tx.create('task', taskRow(services[3] ?? serviceRow('none', 1), 'node-41', 9)));
  await times.advance(100);
  expect(await news(() => down('node-41'))).toEqual(nodes.map(() => 'service-3 0'));
  expect([...reads.tasks.keys()]).toEqual(['service-3']);

  end.abort();
  await Promise.all([running, ...balancers.map((balancer) => balancer.close())]);
  await times.settle();
  expect(times.waiting).toBe(0);
});
