import type { Node } from './node.ts';

/** How many of these nodes manage. */
export function managersAmong(nodes: Iterable<Pick<Node, 'role'>>): number {
  let count = 0;
  for (const { role } of nodes) if (role === 'manager') count += 1;
  return count;
}
