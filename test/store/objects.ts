import type { Config, Service, Task } from '../../src/model/index.ts';
import { newTask } from '../../src/orchestrator/task.ts';
import type { Fresh, Store, View } from '../../src/store/index.ts';
import { KINDS } from '../../src/model/index.ts';
import { serviceFixture } from '../simulation/index.ts';

export function service(name: string): Fresh<'service'> {
  return serviceFixture({ name });
}

/** A config with so many bytes of data. */
export function config(name: string, bytes = 10): Fresh<'config'> {
  return {
    id: `config-${name}`,
    spec: { annotations: { name, labels: {} }, data: new Uint8Array(bytes).fill(7) },
  };
}

export function task(of: Service, slot: number): Fresh<'task'> {
  return newTask(undefined, of, { slot }, 1_000);
}

export function withLabels(of: Config, labels: Readonly<Record<string, string>>): Config {
  return { ...of, spec: { ...of.spec, annotations: { ...of.spec.annotations, labels } } };
}

/** A service with so many tasks. */
export async function serviceWithTasks(
  store: Store,
  name: string,
  count: number,
): Promise<[Service, Task[]]> {
  const made = await store.update((tx) => tx.create('service', service(name)));
  await store.batch(
    Array.from({ length: count }, (_, index) => task(made, index + 1)),
    (tx, one) => {
      tx.create('task', one);
    },
  );
  return [made, [...store.view.tasksOfService(made.id)]];
}

/** Everything that a view shows, to be compared. */
export function contents(view: View): unknown {
  return KINDS.map((kind) => ({
    kind,
    count: view.count(kind),
    objects: [...view.all(kind)].sort((a, b) => (a.id < b.id ? -1 : 1)),
  }));
}
