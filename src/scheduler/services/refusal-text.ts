import { collectRefusals, refusalLines } from '../explain.ts';
import type { ServiceFilter } from './filters.ts';
import type { NodeInfo } from './node-info.ts';

/** What the filters refuse, each node counted under the first that refuses it; undefined when none is refused. */
export function refusalText(
  nodes: readonly NodeInfo[],
  filters: readonly ServiceFilter[],
): { readonly docker: string; readonly named: string } | undefined {
  const refused = new Map<ServiceFilter, NodeInfo[]>();
  for (const node of nodes) {
    const filter = filters.find((candidate) => !candidate.check(node));
    if (!filter) continue;
    const those = refused.get(filter);
    if (those) those.push(node);
    else refused.set(filter, [node]);
  }
  if (refused.size === 0) return undefined;
  const most = [...refused].sort(([, a], [, b]) => b.length - a.length);
  return {
    docker: most.map(([filter, those]) => filter.phrase(those.length)).join('; '),
    named: most.flatMap(([filter, those]) => refusalLines(collectRefusals(those, [filter]))).join('; '),
  };
}
