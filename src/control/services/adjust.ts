import type { ApiMinor } from '../../docker-api/index.ts';
import type { ContainerSpec, ServiceSpec } from '../../model/index.ts';

/**
 * A spec without what the client's version of the API does not know yet, as dockerd cuts it: a client that sends back
 * what it read must not set what it can't see.
 */
export function adjustForVersion(spec: ServiceSpec, minor: ApiMinor): ServiceSpec {
  const { task } = spec;
  const { container, placement, limits } = task;
  return {
    ...spec,
    // Jobs came with 1.41; a client before that gets what no mode at all gives.
    mode: minor < 41 && spec.mode.kind.endsWith('-job') ? { kind: 'replicated', replicas: 1 } : spec.mode,
    task: {
      ...task,
      ...(container ? { container: adjustContainer(container, minor) } : {}),
      ...(placement && minor < 40 ? { placement: { ...placement, maxReplicas: 0 } } : {}),
      ...(limits && minor < 41 ? { limits: { ...limits, pids: undefined } } : {}),
      ...(minor < 52 ? { swapBytes: undefined, memorySwappiness: undefined } : {}),
    },
  };
}

function adjustContainer(container: ContainerSpec, minor: ApiMinor): ContainerSpec {
  const { privileges, healthcheck, mounts } = container;
  return {
    ...container,
    ...(minor < 40 ? { sysctls: {} } : {}),
    ...(minor < 41 ? { capabilityAdd: [], capabilityDrop: [], ulimits: [] } : {}),
    ...(privileges && minor < 44
      ? { privileges: { ...privileges, seccomp: undefined, apparmor: undefined, noNewPrivileges: false } }
      : {}),
    ...(healthcheck && minor < 44 ? { healthcheck: { ...healthcheck, startIntervalNs: undefined } } : {}),
    ...(minor < 46
      ? {
          oomScoreAdj: 0,
          mounts: mounts.map((mount) =>
            mount.tmpfs ? { ...mount, tmpfs: { ...mount.tmpfs, options: '' } } : mount,
          ),
        }
      : {}),
  };
}
