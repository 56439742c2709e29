import type { SchedulerNode } from '../node.ts';
import type { Dependency, Filter, PreparedFilter } from '../types.ts';

type Check = (node: SchedulerNode) => boolean;

/**
 * Finds a container as a user names it. A whole name or id anywhere wins over an id that only begins so:
 * a container called `cafe` must not be taken for the one whose id begins with those letters.
 */
function presence(container: string, nodes: readonly SchedulerNode[]): Check {
  const reference = container.replace(/^\//, '');
  if (nodes.some((node) => node.hasContainer(reference))) return (node) => node.hasContainer(reference);
  const slash = reference.indexOf('/');
  if (slash > 0) {
    const home = reference.slice(0, slash);
    const name = reference.slice(slash + 1);
    return (node) => (node.name === home || node.id === home) && node.hasContainer(name);
  }
  if (!/^[0-9a-f]{1,64}$/.test(reference)) return () => false;
  return (node) => node.hasContainerIdPrefix(reference);
}

function optionText({ kind, container }: Dependency): string {
  return kind === 'volumes-from' || kind === 'link'
    ? `--${kind}=${container}`
    : `--${kind}=container:${container}`;
}

/** Only the node that has all containers which the new one is tied to. */
export const dependency: Filter = {
  name: 'dependency',
  prepare: ({ dependencies }, nodes) =>
    dependencies.map((needed): PreparedFilter => ({
      name: 'dependency',
      conditions: [optionText(needed)],
      check: presence(needed.container, nodes),
      explain: () => `does not have the container of ${optionText(needed)}`,
    })),
};
