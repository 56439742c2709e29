import type { Endpoint, Service, UpdateStatus } from '../../model/index.ts';
import { metaJson, timeText, versionJson } from './common.ts';
import { endpointSpec, ports, serviceSpec } from './service-spec.ts';

/** How many of a service's tasks run, should run, and (of a job) have ended well. */
export interface ServiceCounts {
  readonly running: number;
  readonly desired: number;
  readonly completed: number;
}

/** A service as `docker service inspect` shows it; in lists maybe with its counts. */
export function serviceJson(service: Service, counts?: ServiceCounts): Record<string, unknown> {
  const { id, meta, spec, previousSpec, endpoint, updateStatus, job } = service;
  return {
    ID: id,
    ...metaJson(meta),
    Spec: serviceSpec.write(spec),
    ...(previousSpec ? { PreviousSpec: serviceSpec.write(previousSpec) } : {}),
    Endpoint: endpointJson(endpoint),
    ...(updateStatus ? { UpdateStatus: updateStatusJson(updateStatus) } : {}),
    ...(counts ? { ServiceStatus: countsJson(counts) } : {}),
    ...(job
      ? {
          JobStatus: {
            JobIteration: versionJson(job.iteration),
            LastExecution: timeText(job.lastExecutionMs),
          },
        }
      : {}),
  };
}

function endpointJson(endpoint: Endpoint | undefined): Record<string, unknown> {
  if (!endpoint) return { Spec: {} };
  const { spec, ports: bound, virtualIps } = endpoint;
  return {
    Spec: endpointSpec.write(spec),
    ...(bound.length > 0 ? { Ports: ports.write(bound) } : {}),
    ...(virtualIps.length > 0
      ? {
          VirtualIPs: virtualIps.map(({ networkId, addr }) => ({
            NetworkID: networkId,
            ...(addr === '' ? {} : { Addr: addr }),
          })),
        }
      : {}),
  };
}

function updateStatusJson({ state, startedAtMs, completedAtMs, message }: UpdateStatus): unknown {
  return {
    State: state,
    StartedAt: timeText(startedAtMs),
    ...(completedAtMs === undefined ? {} : { CompletedAt: timeText(completedAtMs) }),
    ...(message === '' ? {} : { Message: message }),
  };
}

function countsJson({ running, desired, completed }: ServiceCounts): unknown {
  return { RunningTasks: running, DesiredTasks: desired, CompletedTasks: completed };
}
