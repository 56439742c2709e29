import { newId } from '../base/ids.ts';
import type { Cluster, Service } from '../model/index.ts';
import type { Fresh } from '../store/index.ts';

/** Where a new task belongs: a slot of a replicated service or job, or a node of a global one. */
export type TaskPlace = { readonly slot: number } | { readonly nodeId: string };

/** A task as orchestrators make it: to be allocated, then placed; wanted to run. */
export function newTask(
  cluster: Cluster | undefined,
  service: Service,
  place: TaskPlace,
  nowMs: number,
): Fresh<'task'> {
  const logDriver = service.spec.task.logDriver ?? cluster?.spec.logDriver;
  return {
    id: newId(),
    serviceId: service.id,
    slot: 'slot' in place ? place.slot : 0,
    nodeId: 'nodeId' in place ? place.nodeId : '',
    annotations: { name: '', labels: {} },
    serviceAnnotations: service.spec.annotations,
    spec: service.spec.task,
    specVersion: service.specVersion,
    status: {
      state: 'new',
      timestampMs: nowMs,
      message: 'created',
      err: '',
      ports: [],
      appliedBy: '',
      appliedAtMs: nowMs,
    },
    desiredState: 'running',
    networks: [],
    ...(service.spec.endpoint
      ? { endpoint: { spec: service.spec.endpoint, ports: [], virtualIps: [] } }
      : {}),
    ...(logDriver ? { logDriver } : {}),
    assignedGenericResources: [],
    ...(service.job ? { jobIteration: service.job.iteration } : {}),
  };
}
