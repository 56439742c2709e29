import type { Expression } from './expression.ts';
import type { PortUse } from './facts.ts';
import type { SchedulerNode } from './node.ts';

export type DependencyKind = 'volumes-from' | 'link' | 'net' | 'ipc' | 'pid';

export interface Dependency {
  readonly kind: DependencyKind;
  /** Name, id, id prefix or node/name of a container that must be on the same node. */
  readonly container: string;
}

export interface PlacementRequest {
  readonly name: string;
  readonly image: string;
  readonly constraints: readonly Expression[];
  readonly affinities: readonly Expression[];
  readonly whitelists: readonly Expression[];
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  /** Host ports asked for by number. */
  readonly ports: readonly PortUse[];
  readonly dependencies: readonly Dependency[];
}

/**
 * A filter made ready for one request. `check` may run for every node at every placement: it allocates
 * nothing, and answers the same whenever it is asked. `explain` runs only when nothing fits, for nodes that
 * `check` refuses. Equal explanations are shown as one line, so they
 * should not name the node.
 */
export interface PreparedFilter<N = SchedulerNode> {
  readonly name: string;
  /** What it asks for, in the user's terms: 'node==core-01', 'port 80'. */
  readonly conditions: readonly string[];
  /** A wish: asked for in a first pass, dropped in a second one when nothing fits. */
  readonly soft?: boolean;
  readonly check: (node: N) => boolean;
  readonly explain: (node: N) => string;
}

/** A filter of the closed set; gives nothing when it does not apply to the request. */
export interface Filter {
  readonly name: FilterName;
  prepare(request: PlacementRequest, nodes: readonly SchedulerNode[]): readonly PreparedFilter[];
}

/** In the order in which they are applied and shown. */
export const FILTER_NAMES = [
  'health',
  'port',
  'containerslots',
  'dependency',
  'affinity',
  'constraint',
  'whitelist',
] as const;
export type FilterName = (typeof FILTER_NAMES)[number];

/** What a manager uses when no filter is chosen: all of them. */
export const DEFAULT_FILTERS: readonly FilterName[] = [...FILTER_NAMES];

export const STRATEGY_NAMES = ['spread', 'binpack', 'random'] as const;
export type StrategyName = (typeof STRATEGY_NAMES)[number];

/** Nodes that one filter refused for one reason; `nodes` holds all their names. */
export interface RefusalReason {
  readonly reason: string;
  readonly nodes: readonly string[];
}

/** What one filter refused, looked at alone: a node refused by two filters is in both. */
export interface FilterRefusal {
  /** A filter's name, or 'resources'. */
  readonly filter: string;
  readonly reasons: readonly RefusalReason[];
}

export type PlacementFailureReason = 'no-healthy-node' | 'no-resources' | 'filters';

export interface PlacementFailure {
  readonly ok: false;
  readonly reason: PlacementFailureReason;
  /** Several lines, bounded whatever the number of nodes. */
  readonly message: string;
  readonly refusals: readonly FilterRefusal[];
}

export type Placement = { readonly ok: true; readonly node: SchedulerNode } | PlacementFailure;
