import type { Service, UpdateConfig } from '../../model/index.ts';

const NS_PER_MS = 1e6;
const DEFAULT_MONITOR_MS = 5000;

/** Docker's, where a service says nothing. */
const DEFAULTS: UpdateConfig = {
  parallelism: 1,
  delayNs: 0,
  failureAction: 'pause',
  maxFailureRatio: 0,
  order: 'stop-first',
};

export interface UpdateRules {
  /** How many places at a time; Infinity for all. */
  readonly parallelism: number;
  /** From a new task's start to the next place. */
  readonly delayMs: number;
  /** How long after its start a new task's end counts as a failure of the update. */
  readonly monitorMs: number;
  readonly maxFailureRatio: number;
  readonly failureAction: UpdateConfig['failureAction'];
  readonly startFirst: boolean;
}

export function isRollback({ updateStatus }: Service): boolean {
  return updateStatus?.state === 'rollback_started' || updateStatus?.state === 'rollback_paused';
}

/** How a service wants to be updated, or rolled back when it is. */
export function rulesOf(service: Service): UpdateRules {
  const config = (isRollback(service) ? service.spec.rollback : service.spec.update) ?? DEFAULTS;
  return {
    parallelism: config.parallelism > 0 ? config.parallelism : Infinity,
    delayMs: config.delayNs / NS_PER_MS,
    monitorMs: config.monitorNs === undefined ? DEFAULT_MONITOR_MS : config.monitorNs / NS_PER_MS,
    maxFailureRatio: config.maxFailureRatio,
    failureAction: config.failureAction,
    startFirst: config.order === 'start-first',
  };
}
