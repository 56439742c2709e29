import type { Task } from '../../model/index.ts';

const NS_PER_MS = 1e6;
/** Docker's, where a service names none. */
const DEFAULT_DELAY_MS = 5000;
/** A task that fails at once must not keep the swarm busy, whatever its service asks for. */
const LEAST_DELAY_MS = 100;

/** How long a task's successor waits when the task ended by itself. */
export function restartDelayMs({ spec }: Task): number {
  const delayNs = spec.restart?.delayNs;
  return delayNs === undefined ? DEFAULT_DELAY_MS : Math.max(LEAST_DELAY_MS, delayNs / NS_PER_MS);
}

/**
 * Whether the restart condition lets a task have a successor, attempts aside; Docker's default is `any`. Only a task that ended
 * well is no failure: one that was told to stop, or whose node was lost, counts as one.
 */
export function conditionAllows({ spec, status }: Task): boolean {
  switch (spec.restart?.condition ?? 'any') {
    case 'any':
      return true;
    case 'on-failure':
      return status.state !== 'complete';
    case 'none':
      return false;
  }
}

/** 0 for no limit. */
export function maxAttempts({ spec }: Task): number {
  return spec.restart?.maxAttempts ?? 0;
}

/** Attempts count within it; 0 for all time. */
export function windowMs({ spec }: Task): number {
  return (spec.restart?.windowNs ?? 0) / NS_PER_MS;
}
