import { SwarmError } from '../../base/errors.ts';
import { FilterTests, matchesLabels, queryFilters, type Filters } from '../../docker-api/index.ts';
import { TASK_STATES, type Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { Handler } from '../context.ts';
import { beginsWithOne } from '../filters.ts';
import { findOne, taskName } from '../find.ts';
import { sendList } from '../send-list.ts';
import { taskJson } from '../shapes/task.ts';
import { upToDateTest } from './up-to-date.ts';

const FILTERS = ['_up-to-date', 'desired-state', 'id', 'label', 'name', 'node', 'runtime', 'service'];

/** `GET /tasks` */
export const listTasks: Handler = async (call, { store: { view } }) => {
  const filters = queryFilters(call.query, FILTERS);
  const services = idsOf(view, 'service', filters);
  const nodes = idsOf(view, 'node', filters);
  const tests = new FilterTests<Task>(filters);
  tests.on('id', (values) => (task) => beginsWithOne(task.id, values));
  tests.on('name', (values) => (task) => beginsWithOne(taskName(task), values));
  tests.on('label', (values) => (task) => matchesLabels(task.serviceAnnotations.labels, values));
  tests.on('node', () => (task) => nodes.includes(task.nodeId));
  tests.on('desired-state', desiredStates);
  tests.on('_up-to-date', () => upToDateTest(view));
  const runtimes = filters.get('runtime') ?? ['container'];
  tests.add((task) => runtimes.includes(task.spec.attachment ? 'attachment' : 'container'));
  const chosen = tests.choose([...candidates(view, services, nodes)]);
  await sendList(call, chosen, (task) => taskJson(view, task));
};

/** `GET /tasks/{id}` */
export const inspectTask: Handler = async (call, { store: { view } }) => {
  call.json(200, taskJson(view, findOne(view, 'task', call.param('id'))));
};

/** The ids that the values of a filter mean. Throws `not-found`. */
function idsOf(view: View, kind: 'service' | 'node', filters: Filters): readonly string[] {
  return [...new Set((filters.get(kind) ?? []).map((reference) => findOne(view, kind, reference).id))];
}

/** All tasks that can pass, from the index that has the fewest. */
function* candidates(view: View, services: readonly string[], nodes: readonly string[]): Iterable<Task> {
  if (services.length > 0) for (const id of services) yield* view.tasksOfService(id);
  else if (nodes.length > 0) for (const id of nodes) yield* view.tasksOfNode(id);
  else yield* view.all('task');
}

function desiredStates(values: readonly string[]): (task: Task) => boolean {
  const states = values
    .filter((value) => value !== '')
    .map((value) => {
      const state = TASK_STATES.find((one) => one === value.toLowerCase());
      if (!state) throw new SwarmError('invalid', `Invalid desired-state filter: '${value}'`);
      return state;
    });
  return ({ desiredState }) => states.length === 0 || states.includes(desiredState);
}
