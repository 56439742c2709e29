import { SwarmError } from '../../base/errors.ts';
import type {
  EndpointSpec,
  NetworkAttachmentConfig,
  PortConfig,
  ServiceMode,
  ServiceSpec,
  UpdateConfig,
} from '../../model/index.ts';
import { annotations } from './common.ts';
import { always, embedded, field, list, mapped, optional, struct } from './compound.ts';
import { choice, duration, real, text, uint32, uint64, unlessZero } from './scalars.ts';
import type { Shape } from './shape.ts';
import { networkTargets, taskTemplate } from './task-spec.ts';

interface ModeJson {
  readonly replicated?: { readonly replicas?: number };
  readonly global?: object;
  readonly replicatedJob?: { readonly maxConcurrent?: number; readonly totalCompletions?: number };
  readonly globalJob?: object;
}

const modeJson = struct<ModeJson>('ServiceMode', {
  replicated: field(
    'Replicated',
    optional(
      struct<{ replicas?: number }>('ReplicatedService', { replicas: field('Replicas', optional(uint64)) }),
    ),
  ),
  global: field('Global', optional(struct('GlobalService', {}))),
  replicatedJob: field(
    'ReplicatedJob',
    optional(
      struct<NonNullable<ModeJson['replicatedJob']>>('ReplicatedJob', {
        maxConcurrent: field('MaxConcurrent', optional(uint64)),
        totalCompletions: field('TotalCompletions', optional(uint64)),
      }),
    ),
  ),
  globalJob: field('GlobalJob', optional(struct('GlobalJob', {}))),
});

const mode: Shape<ServiceMode> = mapped(modeJson, readMode, writeMode);

function readMode(given: ModeJson): ServiceMode {
  const { replicated, global, replicatedJob, globalJob } = given;
  if (Object.keys(given).length > 1) {
    throw new SwarmError('invalid', 'must specify only one service mode');
  }
  if (global) return { kind: 'global' };
  if (globalJob) return { kind: 'global-job' };
  if (!replicatedJob) return { kind: 'replicated', replicas: replicated?.replicas ?? 1 };
  const maxConcurrent = replicatedJob.maxConcurrent ?? 1;
  const totalCompletions = replicatedJob.totalCompletions ?? maxConcurrent;
  return { kind: 'replicated-job', maxConcurrent, totalCompletions };
}

function writeMode(given: ServiceMode): ModeJson {
  switch (given.kind) {
    case 'replicated':
      return { replicated: { replicas: given.replicas } };
    case 'global':
      return { global: {} };
    case 'replicated-job': {
      const { maxConcurrent, totalCompletions } = given;
      return { replicatedJob: { maxConcurrent, totalCompletions } };
    }
    case 'global-job':
      return { globalJob: {} };
  }
}

const updateConfig = struct<UpdateConfig>('UpdateConfig', {
  parallelism: always('Parallelism', uint64),
  delayNs: field('Delay', duration),
  failureAction: always(
    'FailureAction',
    choice(
      'string',
      ['pause', 'continue', 'rollback'],
      (word) => `unrecognized update failure action ${word}`,
    ),
  ),
  monitorNs: field('Monitor', unlessZero(duration)),
  maxFailureRatio: always('MaxFailureRatio', real),
  order: always(
    'Order',
    choice('string', ['stop-first', 'start-first'], (word) => `unrecognized update order ${word}`),
  ),
});

/** Words that Docker takes in any case. */
function anyCase<W extends string>(words: Shape<W>): Shape<W> {
  return {
    ...words,
    read: (value, at) => words.read(typeof value === 'string' ? value.toLowerCase() : value, at),
  };
}

const portConfig = struct<PortConfig>('PortConfig', {
  name: field('Name', text),
  protocol: always(
    'Protocol',
    anyCase(
      choice(
        'swarm.PortConfigProtocol',
        ['tcp', 'udp', 'sctp'],
        (word) => `invalid port protocol: "${word}"`,
      ),
    ),
  ),
  targetPort: field('TargetPort', uint32),
  publishedPort: field('PublishedPort', uint32),
  publishMode: always(
    'PublishMode',
    anyCase(
      choice('swarm.PortConfigPublishMode', ['ingress', 'host'], (word) => `invalid publish mode: "${word}"`),
    ),
  ),
});

export const ports = list(portConfig);

export const endpointSpec = struct<EndpointSpec>('EndpointSpec', {
  mode: always(
    'Mode',
    choice('swarm.ResolutionMode', ['vip', 'dnsrr'], (word) => `invalid resolution mode: "${word}"`),
  ),
  ports: field('Ports', ports),
});

interface ServiceSpecJson extends ServiceSpec {
  /** Where clients of API 1.24 and before put them; the task's own count more. */
  readonly networks: readonly NetworkAttachmentConfig[];
}

/** An absent name stays ''. */
export const serviceSpec: Shape<ServiceSpec> = mapped(
  struct<ServiceSpecJson>('ServiceSpec', {
    annotations: embedded(annotations),
    task: always('TaskTemplate', taskTemplate),
    mode: always('Mode', mode),
    update: field('UpdateConfig', optional(updateConfig)),
    rollback: field('RollbackConfig', optional(updateConfig)),
    networks: field('Networks', networkTargets),
    endpoint: field('EndpointSpec', optional(endpointSpec)),
  }),
  ({ networks, ...spec }) =>
    spec.task.networks.length > 0 ? spec : { ...spec, task: { ...spec.task, networks } },
  (spec) => ({ ...spec, networks: [] }),
);
