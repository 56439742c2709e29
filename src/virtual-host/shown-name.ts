import type { Filters } from '../docker-api/index.ts';

/**
 * The name of a thing of one node in a list: `node/name`; the plain one where no other node has one of that name and
 * the list was asked for by exact name or by label. So do programs ask, Compose before all, and they compare names.
 */
export function shownName(
  thing: { readonly name: string; readonly node: string },
  unique: boolean,
  filters: Filters,
): string {
  const labels = filters.get('label') ?? [];
  const names = filters.get('name') ?? [];
  const exact = labels.length > 0 || names.some((name) => name === thing.name || name === `^${thing.name}$`);
  return unique && exact ? thing.name : `${thing.node}/${thing.name}`;
}
