import type { Json } from '../base/json.ts';
import type { PreparedFilter } from '../scheduler/index.ts';
import type { Context } from './context.ts';
import type { EngineNode } from './engine-node.ts';

/** What a container's networks ask of its placement, and how the chosen node gets ready for them. */
export interface NetworkPlan {
  readonly filters: readonly PreparedFilter[];
  /** Readies the node's networks and gives the body with the names that the engine knows. */
  bind(node: EngineNode, body: Json): Promise<Json>;
}

export async function planNetworks(_context: Context, _body: Json): Promise<NetworkPlan> {
  return { filters: [], bind: async (_node, body) => body };
}
