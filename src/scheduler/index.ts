/** The door of the scheduler: which node takes a container, and why not. Pure. */
export { createScheduler } from './scheduler.ts';
export type { Scheduler, SchedulerOptions } from './scheduler.ts';
export { SchedulerNode } from './node.ts';
export type { NodeFacts } from './node.ts';
export { parseExpression } from './expression.ts';
export type { Expression, ExpressionKind } from './expression.ts';
export { extractBuildArgExpressions, extractExpressions } from './extract.ts';
export type { ExtractedBuildArgs, ExtractedConfig, PlacementWishes, ReschedulePolicy } from './extract.ts';
export { familiarImageName } from './image-name.ts';
export type { ContainerFacts, ImageFacts, PortUse, Protocol } from './facts.ts';
export type { Matcher } from './matcher.ts';
export { anySearch, textSearch } from './text-search.ts';
export { DEFAULT_FILTERS, FILTER_NAMES, STRATEGY_NAMES } from './types.ts';
export type {
  Dependency,
  DependencyKind,
  FilterName,
  FilterRefusal,
  Placement,
  PlacementFailure,
  PlacementFailureReason,
  PlacementRequest,
  PreparedFilter,
  RefusalReason,
  StrategyName,
} from './types.ts';
export { type Constraint, nodeMatches, parseConstraint } from './services/constraint.ts';
export { isReady } from './services/filters.ts';
export { GenericUse } from './services/generic-use.ts';
export { type GroupOptions, TaskGroup } from './services/group.ts';
export type { NodeInfo } from './services/node-info.ts';
export { NodeSet } from './services/node-set.ts';
export { failureKeyOf, requestOf, type TaskRequest } from './services/task-request.ts';
export { hasPlatform } from './services/platform.ts';
