import { expect, it } from 'vitest';
import type { Config, Task } from '../../src/model/index.ts';
import type { Store, Tx } from '../../src/store/index.ts';
import { seeded, type Seeded } from '../seeded.ts';
import { config, serviceWithTasks, task, withLabels } from './objects.ts';
import { storeAt, type Place } from './place.ts';

const LONG = process.env['SKEP_TEST_LONG'] !== undefined;
const STEPS = LONG ? 3_000 : 150;
const SEED = Number(process.env['SKEP_STORE_SEED'] ?? (LONG ? Math.floor(Math.random() * 1e9) : 7));

/** What a store should hold, kept in the plainest way. */
interface Model {
  readonly configs: Map<string, { name: string; turn: string }>;
  readonly tasks: Map<string, { service: string; node: string; version: number }>;
}

type Operation = (tx: Tx, model: Model) => void;

export function randomOperations(place: () => Place): void {
  it(
    `holds what a plain model holds after ${STEPS} steps of random updates (seed ${SEED})`,
    { timeout: 300_000 },
    async () => {
      const random = seeded(SEED);
      const where = place();
      let store = await storeAt(where);
      const services = [await serviceWithTasks(store, 'a', 0), await serviceWithTasks(store, 'b', 0)].map(
        ([one]) => one,
      );
      let model: Model = { configs: new Map(), tasks: new Map() };
      for (let step = 0; step < STEPS; step++) {
        model = await oneStep(
          store,
          model,
          random,
          services.map(({ id }) => id),
        );
        expectSame(
          store,
          model,
          services.map(({ id }) => id),
        );
        if (random.whole(1, 25) > 1) continue;
        await store.close();
        store = await storeAt(where);
        expectSame(
          store,
          model,
          services.map(({ id }) => id),
        );
      }
    },
  );
}

/** Some updates at once, some of which throw; returns what should be there then. */
async function oneStep(store: Store, before: Model, random: Seeded, services: string[]): Promise<Model> {
  let model = before;
  const runs = Array.from({ length: random.whole(1, 6) }, () => {
    const operations = Array.from({ length: random.whole(1, 5) }, () => operation(random, services));
    const fails = random.whole(1, 5) === 1;
    return store.update((tx) => {
      const draft: Model = { configs: new Map(model.configs), tasks: new Map(model.tasks) };
      for (const each of operations) each(tx, draft);
      if (fails) throw new Error('as told');
      model = draft;
    });
  });
  for (const result of await Promise.allSettled(runs))
    if (result.status === 'rejected') expect(String(result.reason)).toMatch(/as told|conflict/);
  return model;
}

function operation(random: Seeded, services: string[]): Operation {
  const [name, id, turn] = [
    `name-${random.whole(0, 6)}`,
    `config-${random.whole(0, 6)}`,
    String(random.whole(0, 99)),
  ];
  const [taskId, node] = [`task-${random.whole(0, 15)}`, `node-${random.whole(0, 2)}`];
  const [service, version, remake] = [random.pick(services), random.whole(1, 3), random.whole(1, 4) === 1];
  switch (random.whole(0, 4)) {
    case 0:
      return (tx, { configs }) => {
        if (tx.get('config', id) || tx.byName('config', name)) return;
        tx.create('config', { ...named(config(name), name), id });
        configs.set(id, { name, turn: '' });
      };
    case 1:
      return (tx, { configs }) => {
        const there = tx.get('config', id);
        if (!there) return;
        tx.update('config', withLabels(named(there, name), { turn })); // throws when the name is taken
        configs.set(id, { name, turn });
      };
    case 2:
      return (tx, { configs, tasks }) => {
        expect(tx.remove('config', id)).toBe(configs.delete(id));
        expect(tx.remove('task', taskId)).toBe(tasks.delete(taskId));
      };
    case 3:
      return (tx, { tasks }) => {
        const of = tx.get('service', service) ?? expect.fail();
        if (tx.get('task', taskId)) return;
        const made = { ...task(of, 1), id: taskId, specVersion: version };
        tx.create('task', remake ? { ...made, spec: { ...made.spec, forceUpdate: version } } : made);
        tasks.set(taskId, { service, node: '', version });
      };
    default:
      return (tx, { tasks }) => {
        const there = tx.get('task', taskId);
        if (!there) return;
        tx.update('task', { ...there, nodeId: node, specVersion: version });
        tasks.set(taskId, { service: there.serviceId, node, version });
      };
  }
}

function named<T extends Pick<Config, 'spec'>>(of: T, name: string): T {
  return { ...of, spec: { ...of.spec, annotations: { ...of.spec.annotations, name } } };
}

function expectSame({ view }: Store, model: Model, services: string[]): void {
  const tasks = [...view.all('task')];
  expect(new Map([...view.all('config')].map((one) => [one.id, shownConfig(one)]))).toEqual(model.configs);
  expect(new Map(tasks.map((one) => [one.id, shownTask(one)]))).toEqual(model.tasks);
  expect([view.count('config'), view.count('task')]).toEqual([model.configs.size, model.tasks.size]);
  for (let index = 0; index <= 6; index++) {
    const holder = [...model.configs].find(([, { name }]) => name === `name-${index}`)?.[0];
    expect(view.byName('config', `name-${index}`)?.id).toBe(holder);
  }
  for (const id of services)
    expect(ids(view.tasksOfService(id))).toEqual(ids(tasks.filter((one) => one.serviceId === id)));
  for (const id of ['node-0', 'node-1', 'node-2'])
    expect(ids(view.tasksOfNode(id))).toEqual(ids(tasks.filter(({ nodeId }) => nodeId === id)));
}

const ids = (of: Iterable<Task>): string[] => [...of].map(({ id }) => id).sort();

function shownConfig({ spec }: Config): { name: string; turn: string } {
  return { name: spec.annotations.name, turn: spec.annotations.labels['turn'] ?? '' };
}

function shownTask({ serviceId, nodeId, specVersion }: Task): {
  service: string;
  node: string;
  version: number;
} {
  return { service: serviceId, node: nodeId, version: specVersion };
}
