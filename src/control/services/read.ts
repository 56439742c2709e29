import { queryFilters } from '../../docker-api/index.ts';
import type { Service } from '../../model/index.ts';
import type { Handler } from '../context.ts';
import { commonFilters } from '../filters.ts';
import { findOne } from '../find.ts';
import { queryBool } from '../query.ts';
import { sendList } from '../send-list.ts';
import { serviceJson } from '../shapes/service.ts';
import { countTasks } from './counts.ts';
import { withDefaults } from './defaults.ts';

const FILTERS = ['id', 'label', 'mode', 'name', 'runtime'];
/** From here on lists come with counts where they are asked for. */
const COUNTS_FROM_MINOR = 41;

/** `GET /services` */
export const listServices: Handler = async (call, { store: { view } }) => {
  const filters = queryFilters(call.query, FILTERS);
  const withCounts = call.minor >= COUNTS_FROM_MINOR && queryBool(call.query, 'status');
  const tests = commonFilters<Service>(filters);
  tests.on(
    'mode',
    (modes) =>
      ({ spec }) =>
        modes.includes(spec.mode.kind),
  );
  tests.on('runtime', (runtimes) => () => runtimes.includes('container'));
  const chosen = tests.choose([...view.all('service')]);
  await sendList(call, chosen, (service) =>
    serviceJson(service, withCounts ? countTasks(view, service) : undefined),
  );
};

/** `GET /services/{id}` */
export const inspectService: Handler = async (call, { store: { view } }) => {
  const insertDefaults = queryBool(call.query, 'insertDefaults');
  const service = findOne(view, 'service', call.param('id'));
  call.json(200, serviceJson(insertDefaults ? { ...service, spec: withDefaults(service.spec) } : service));
};
