import { SwarmError } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { filterFlag, type Filters } from '../../docker-api/index.ts';
import { idsOf, isLocal, isPredefined, type ClusterNetwork, type NamedNode } from './networks-view.ts';
import { clusterFilters } from '../cluster-filters.ts';
import { shownName } from '../shown-name.ts';
import { anySearch } from '../../scheduler/index.ts';

export const NETWORK_FILTERS = ['driver', 'id', 'label', 'name', 'scope', 'type', 'dangling', 'node'];

/** The networks that pass Docker's filters and `node=`. `inUse` says whether a running container is on one. */
export function filterNetworks<N extends NamedNode & { readonly id: string }>(
  networks: readonly ClusterNetwork<N>[],
  filters: Filters,
  inUse: (network: ClusterNetwork<N>) => boolean,
): readonly ClusterNetwork<N>[] {
  const tests = clusterFilters<ClusterNetwork<N>>(filters);
  tests.on(
    'scope',
    (values) =>
      ({ scope }) =>
        values.includes(scope),
  );
  tests.on('id', (values) => {
    const matches = anySearch(values);
    return (network) => matches(idsOf(network));
  });
  tests.on('name', (values) => {
    const matches = anySearch(values);
    return ({ name, home, scope }) => matches(isLocal({ scope }) ? [name, `${home.name}/${name}`] : [name]);
  });
  tests.on('type', (values) => {
    const wrong = values.find((value) => value !== 'custom' && value !== 'builtin');
    if (wrong !== undefined) throw new SwarmError('invalid', `invalid filter 'type=${wrong}'`);
    return ({ name }) => values.includes(isPredefined(name) ? 'builtin' : 'custom');
  });
  const dangling = filterFlag(filters, 'dangling');
  if (dangling !== undefined) {
    tests.add((network) => (isPredefined(network.name) || inUse(network)) !== dangling);
  }
  return tests.choose(networks);
}

/** The entries of `GET /networks` for what was chosen out of `all`: local ones with their node, as `shownName` says. */
export function networkEntries(
  chosen: readonly ClusterNetwork[],
  all: readonly ClusterNetwork[],
  filters: Filters,
): Json[] {
  const count = new Map<string, number>();
  for (const { name } of all) count.set(name, (count.get(name) ?? 0) + 1);
  return chosen.map((network) => {
    const { name, home, entry } = network;
    if (!isLocal(network)) return entry;
    return { ...entry, Name: shownName({ name, node: home.name }, count.get(name) === 1, filters) };
  });
}
