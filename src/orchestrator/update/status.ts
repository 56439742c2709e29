import type { Service, UpdateState, UpdateStatus } from '../../model/index.ts';
import type { Tx } from '../../store/index.ts';
import type { Step } from '../apply.ts';
import { isRollback } from './rules.ts';

/** A step that writes a service, as long as it is at the version and in the state that the plan saw. */
function write(planned: Service, change: (service: Service) => Service): Step {
  return {
    about: { service: planned.id },
    change: (tx: Tx) => {
      const service = tx.get('service', planned.id);
      if (service?.specVersion !== planned.specVersion) return;
      if (service.updateStatus?.state !== planned.updateStatus?.state) return;
      tx.update('service', change(service));
    },
  };
}

function to(service: Service, state: UpdateState, message: string, nowMs: number): UpdateStatus {
  return { startedAtMs: nowMs, ...service.updateStatus, state, message };
}

/** Times are milliseconds since 1970; the messages are SwarmKit's, which Docker shows. */
export function startStep(service: Service, nowMs: number): Step {
  return write(service, (now) => ({
    ...now,
    updateStatus: to(now, 'updating', 'update in progress', nowMs),
  }));
}

export function completeStep(service: Service, nowMs: number): Step {
  return write(service, (now) => ({
    ...now,
    updateStatus: {
      ...(isRollback(now)
        ? to(now, 'rollback_completed', 'rollback completed', nowMs)
        : to(now, 'completed', 'update completed', nowMs)),
      completedAtMs: nowMs,
    },
  }));
}

/** What a failed task leads to: a rollback where one is wanted and can be, else a pause. A rollback is never rolled back. */
export function failureStep(service: Service, taskId: string, rollBack: boolean, nowMs: number): Step {
  const what = `due to failure or early termination of task ${taskId}`;
  return write(service, (now) => {
    if (isRollback(now))
      return { ...now, updateStatus: to(now, 'rollback_paused', `rollback paused ${what}`, nowMs) };
    const { previousSpec, previousSpecVersion, ...rest } = now;
    if (!rollBack || previousSpec === undefined || previousSpecVersion === undefined)
      return { ...now, updateStatus: to(now, 'paused', `update paused ${what}`, nowMs) };
    return {
      ...rest,
      spec: previousSpec,
      specVersion: previousSpecVersion,
      updateStatus: to(now, 'rollback_started', `update rolled back ${what}`, nowMs),
    };
  });
}
