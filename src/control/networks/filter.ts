import { SwarmError } from '../../base/errors.ts';
import {
  filterFlag,
  FilterTests,
  matchesLabels,
  queryFilters,
  type Filters,
} from '../../docker-api/index.ts';
import type { Network } from '../../model/index.ts';
import { anySearch } from '../../scheduler/index.ts';
import type { View } from '../../store/index.ts';
import { isPredefinedName } from './check-request.ts';

const KNOWN = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

/** The filters of a list of networks. Throws `invalid` in Docker's words. */
export function networkFilters(query: URLSearchParams): Filters {
  const filters = queryFilters(query, KNOWN);
  for (const type of filters.get('type') ?? [])
    if (type !== 'builtin' && type !== 'custom')
      throw new SwarmError('invalid', `invalid filter: 'type'='${type}'`);
  filterFlag(filters, 'dangling');
  return filters;
}

/** Which of the swarm's networks pass. One that a service uses is not dangling, wherever its tasks run. */
export function networkTest(
  view: Pick<View, 'servicesUsing'>,
  filters: Filters,
): (network: Network) => boolean {
  const tests = new FilterTests<Network>(filters);
  tests.on(
    'driver',
    (values) =>
      ({ spec, allocated }) =>
        values.includes((allocated?.driver ?? spec.driver)?.name ?? ''),
  );
  tests.on('scope', (values) => () => values.includes('swarm'));
  tests.on(
    'label',
    (values) =>
      ({ spec }) =>
        matchesLabels(spec.annotations.labels, values),
  );
  tests.on('id', (values) => {
    const matches = anySearch(values);
    return ({ id }) => matches([id]);
  });
  tests.on('name', (values) => {
    const matches = anySearch(values);
    return ({ spec }) => matches([spec.annotations.name]);
  });
  tests.on(
    'type',
    (values) =>
      ({ spec }) =>
        values.includes(isPredefinedName(spec.annotations.name) ? 'builtin' : 'custom'),
  );
  const dangling = filterFlag(filters, 'dangling');
  if (dangling !== undefined) tests.add(({ id, spec }) => isUsed(view, id, spec.ingress) !== dangling);
  return (network) => tests.choose([network]).length > 0;
}

function isUsed(view: Pick<View, 'servicesUsing'>, id: string, isIngress: boolean): boolean {
  if (isIngress) return true;
  for (const _ of view.servicesUsing('network', id)) return true;
  return false;
}
