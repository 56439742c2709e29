import type { PreparedFilter } from '../../scheduler/index.ts';
import type { NamedNode } from './networks-view.ts';

/** Where one network lets a container go. */
export type NetworkRule<N extends NamedNode> =
  /** To these nodes, which have it. */
  | { readonly kind: 'only'; readonly name: string; readonly nodes: readonly N[] }
  /** Anywhere: nothing uses it yet, and it can move; best to `home`. */
  | { readonly kind: 'anywhere'; readonly name: string; readonly home: N };

/** The nodes that satisfy every rule, undefined for all; or in words which networks keep a container from any node. */
export function commonNodes<N extends NamedNode>(
  rules: readonly NetworkRule<N>[],
): readonly N[] | string | undefined {
  const strict = rules.filter((rule) => rule.kind === 'only');
  let left: readonly N[] | undefined;
  for (const { nodes } of strict) left = left ? left.filter((node) => nodes.includes(node)) : nodes;
  if (left === undefined || left.length > 0) return left;
  const where = strict.map(({ name, nodes }) => `${name} is on ${namesOf(nodes)}`).join(', ');
  return `a container can't be on networks of different nodes: ${where}`;
}

/**
 * The rules as filters of the scheduler. With `prefer`, the best node for the first network is taken if it can be;
 * soft filters fall together, so a request with wishes of its own must go without.
 */
export function networkFilters<N extends NamedNode, P>(
  rules: readonly NetworkRule<N>[],
  placeOf: (node: N) => P,
  options: { readonly prefer: boolean },
): PreparedFilter<P>[] {
  const filters: PreparedFilter<P>[] = [];
  let home: N | undefined;
  for (const rule of rules) {
    if (rule.kind === 'anywhere') {
      home ??= rule.home;
      continue;
    }
    const places = new Set(rule.nodes.map(placeOf));
    const where = `network ${rule.name} is on ${namesOf(rule.nodes)}`;
    filters.push({
      name: 'network',
      conditions: [where],
      check: (place) => places.has(place),
      explain: () => where,
    });
  }
  if (filters.length === 0 && home && options.prefer) {
    const first = placeOf(home);
    const text = 'the network would have to move';
    filters.push({
      name: 'network',
      conditions: [],
      soft: true,
      check: (place) => place === first,
      explain: () => text,
    });
  }
  return filters;
}

const MAX_NAMES = 5;

function namesOf(nodes: readonly NamedNode[]): string {
  if (nodes.length === 0) return 'no node';
  const shown = nodes.slice(0, MAX_NAMES).map(({ name }) => name);
  const rest = nodes.length - shown.length;
  return shown.join(', ') + (rest > 0 ? ` … and ${rest} more` : '');
}
