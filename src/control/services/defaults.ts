import type { RestartPolicy, ServiceSpec, UpdateConfig } from '../../model/index.ts';

const SECOND_NS = 1e9;

const RESTART: RestartPolicy = { condition: 'any', delayNs: 5 * SECOND_NS, maxAttempts: 0 };

const UPDATE: UpdateConfig = {
  parallelism: 1,
  delayNs: 0,
  failureAction: 'pause',
  monitorNs: 5 * SECOND_NS,
  maxFailureRatio: 0,
  order: 'stop-first',
};

/** A spec with what counts where the user said nothing, as `docker service inspect` asks for it (`insertDefaults`). */
export function withDefaults(spec: ServiceSpec): ServiceSpec {
  const { task } = spec;
  const { container, restart = RESTART } = task;
  return {
    ...spec,
    task: {
      ...task,
      ...(container
        ? {
            container: {
              ...container,
              stopGracePeriodNs: container.stopGracePeriodNs ?? 10 * SECOND_NS,
              dns: container.dns ?? { nameservers: [], search: [], options: [] },
            },
          }
        : {}),
      resourcesGiven: true,
      restart: { ...restart, delayNs: restart.delayNs ?? RESTART.delayNs },
      placement: task.placement ?? { constraints: [], spreadOver: [], maxReplicas: 0, platforms: [] },
    },
    update: withMonitor(spec.update),
    rollback: withMonitor(spec.rollback),
  };
}

function withMonitor(config: UpdateConfig = UPDATE): UpdateConfig {
  return { ...config, monitorNs: config.monitorNs ?? UPDATE.monitorNs };
}
