import type { Service, Task } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { ServiceCounts } from '../shapes/service.ts';

/**
 * How far a service is, as SwarmKit counts it: of a job only the tasks of its present run. Where SwarmKit counts what last ran
 * on a node that is down, beside what runs elsewhere in its place, that is left out, as clients before API 1.41 do.
 */
export function countTasks(view: Pick<View, 'tasksOfService' | 'get'>, service: Service): ServiceCounts {
  const { mode } = service.spec;
  const perNode = mode.kind === 'global' || mode.kind === 'global-job';
  let [running, wanted, completed] = [0, 0, 0];
  for (const task of view.tasksOfService(service.id)) {
    if (service.job && task.jobIteration !== service.job.iteration) continue;
    const isLost = view.get('node', task.nodeId)?.status.state === 'down';
    if (task.status.state === 'running' && !isLost) running += 1;
    if (service.job && task.status.state === 'complete') completed += 1;
    if (isWanted(task)) wanted += 1;
  }
  return { running, desired: perNode ? wanted : desiredOf(mode), completed };
}

function isWanted({ desiredState, status }: Task): boolean {
  return desiredState === 'running' || (desiredState === 'complete' && status.state !== 'complete');
}

function desiredOf(mode: Service['spec']['mode']): number {
  if (mode.kind === 'replicated') return mode.replicas;
  return mode.kind === 'replicated-job' ? mode.maxConcurrent : 0;
}
