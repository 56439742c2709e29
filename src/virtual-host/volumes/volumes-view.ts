import { asObject, asArray, asString, asStringRecord, type Json } from '../../base/json.ts';
import { filterFlag, type Filters } from '../../docker-api/index.ts';
import type { NamedNode } from '../networks/networks-view.ts';
import { clusterFilters } from '../cluster-filters.ts';
import { shownName } from '../shown-name.ts';
import { anySearch } from '../../scheduler/index.ts';

/** A volume of one node, or one that its driver shares between nodes. */
export interface ClusterVolume<N extends NamedNode = NamedNode> {
  readonly name: string;
  readonly driver: string;
  readonly shared: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** The engine's list entry. */
  readonly entry: Json;
  /** All nodes that have it; the only one of a local volume. */
  readonly nodes: readonly [N, ...N[]];
}

/** The volumes of the cluster, out of every engine's list; shared ones once. */
export function collectVolumes<N extends NamedNode>(
  lists: Iterable<{ readonly node: N; readonly volumes: readonly Json[] }>,
): ClusterVolume<N>[] {
  const found: ClusterVolume<N>[] = [];
  const shared = new Map<string, N[]>();
  for (const { node, volumes } of lists) {
    for (const entry of volumes) {
      const name = asString(entry['Name']);
      const driver = asString(entry['Driver']);
      const global = entry['Scope'] === 'global';
      const key = `${driver} ${name}`;
      const others = global ? shared.get(key) : undefined;
      if (others) {
        others.push(node);
        continue;
      }
      const nodes: [N, ...N[]] = [node];
      if (global) shared.set(key, nodes);
      found.push({ name, driver, shared: global, labels: asStringRecord(entry['Labels']), entry, nodes });
    }
  }
  return found;
}

export const VOLUME_FILTERS = ['name', 'label', 'driver', 'dangling', 'node'];

/** The volumes that pass Docker's filters and `node=`. */
export function filterVolumes<N extends NamedNode & { readonly id: string }>(
  volumes: readonly ClusterVolume<N>[],
  filters: Filters,
  inUse: (volume: ClusterVolume<N>) => boolean,
): readonly ClusterVolume<N>[] {
  const tests = clusterFilters<ClusterVolume<N>>(filters);
  tests.on('name', (values) => {
    const matches = anySearch(values);
    return ({ name, shared, nodes }) => matches(shared ? [name] : [name, `${nodes[0].name}/${name}`]);
  });
  const dangling = filterFlag(filters, 'dangling');
  if (dangling !== undefined) tests.add((volume) => inUse(volume) !== dangling);
  return tests.choose(volumes);
}

const COMPOSE_PROJECT = /^com\.docker\.compose\.project(?:=|$)/;

/**
 * The entries of `GET /volumes` for what was chosen out of `all`: local ones with their node, as `shownName` says.
 * Compose, told a project by its name alone, knows one volume for each key of the file and removes what the list
 * calls it: there those of one name are one, by the plain name that means all of them.
 */
export function volumeEntries(
  chosen: readonly ClusterVolume[],
  all: readonly ClusterVolume[],
  filters: Filters,
): Json[] {
  const count = new Map<string, number>();
  for (const { name } of all) count.set(name, (count.get(name) ?? 0) + 1);
  if (filters.get('label')?.some((label) => COMPOSE_PROJECT.test(label))) {
    const byName = new Map(chosen.map(({ name, entry }) => [name, entry]));
    return [...byName.values()];
  }
  return chosen.map(({ name, nodes, shared, entry }) => {
    if (shared) return entry;
    return { ...entry, Name: shownName({ name, node: nodes[0].name }, count.get(name) === 1, filters) };
  });
}

/** Whether a container (its list entry), running or not, mounts a volume of its node. */
export function mountsVolume(container: Json, volume: string): boolean {
  return asArray(container['Mounts']).some((mount) => {
    const { Type, Name } = asObject(mount);
    return Type === 'volume' && Name === volume;
  });
}

export function noSuchVolume(name: string): string {
  return `get ${name}: no such volume`;
}
