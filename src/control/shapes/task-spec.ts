import { SwarmError } from '../../base/errors.ts';
import type {
  NetworkAttachmentConfig,
  Placement,
  Resources,
  RestartPolicy,
  TaskSpec,
} from '../../model/index.ts';
import { driver, genericResources, platform } from './common.ts';
import { always, field, list, mapped, optional, struct, textMap, texts } from './compound.ts';
import { containerSpec } from './container-spec.ts';
import { choice, duration, int64, text, uint64 } from './scalars.ts';
import type { Shape } from './shape.ts';

const limits: Shape<Resources> = mapped(
  struct<{ nanoCpus: number; memoryBytes: number; pids: number }>('Limit', {
    nanoCpus: field('NanoCPUs', int64),
    memoryBytes: field('MemoryBytes', int64),
    pids: field('Pids', int64),
  }),
  ({ pids, ...others }) => ({ ...others, generic: [], ...(pids === 0 ? {} : { pids }) }),
  ({ nanoCpus, memoryBytes, pids = 0 }) => ({ nanoCpus, memoryBytes, pids }),
);

const reservations: Shape<Resources> = mapped(
  struct<Omit<Resources, 'pids'>>('Resources', {
    nanoCpus: field('NanoCPUs', int64),
    memoryBytes: field('MemoryBytes', int64),
    generic: field('GenericResources', genericResources),
  }),
  (json): Resources => json,
  ({ nanoCpus, memoryBytes, generic }) => ({ nanoCpus, memoryBytes, generic }),
);

type Requirements = Pick<TaskSpec, 'limits' | 'reservations' | 'swapBytes' | 'memorySwappiness'>;

const requirements = struct<Requirements>('ResourceRequirements', {
  limits: field('Limits', optional(limits)),
  reservations: field('Reservations', optional(reservations)),
  swapBytes: field('SwapBytes', optional(int64)),
  memorySwappiness: field('MemorySwappiness', optional(int64)),
});

export const restartPolicy = struct<RestartPolicy>('RestartPolicy', {
  condition: always(
    'Condition',
    choice(
      'swarm.RestartPolicyCondition',
      ['any', 'none', 'on-failure'],
      (word) => `invalid RestartCondition: "${word}"`,
    ),
  ),
  delayNs: field('Delay', optional(duration)),
  maxAttempts: always('MaxAttempts', uint64),
  windowNs: field('Window', optional(duration)),
});

interface Preference {
  readonly spread?: { readonly descriptor: string };
}

const spreadOver: Shape<readonly string[]> = mapped(
  list(
    struct<Preference>('PlacementPreference', {
      spread: always(
        'Spread',
        optional(struct('SpreadOver', { descriptor: always('SpreadDescriptor', text) })),
      ),
    }),
  ),
  (preferences) => preferences.flatMap(({ spread }) => spread?.descriptor ?? []),
  (descriptors) => descriptors.map((descriptor) => ({ spread: { descriptor } })),
);

const placement = struct<Placement>('Placement', {
  constraints: field('Constraints', texts),
  spreadOver: field('Preferences', spreadOver),
  maxReplicas: field('MaxReplicas', uint64),
  platforms: field('Platforms', list(platform)),
});

export const networkTargets: Shape<readonly NetworkAttachmentConfig[]> = mapped(
  list(
    struct<Omit<NetworkAttachmentConfig, 'addresses'>>('NetworkAttachmentConfig', {
      target: field('Target', text),
      aliases: field('Aliases', texts),
      driverOptions: field('DriverOpts', textMap),
    }),
  ),
  (items) => items.map((item) => ({ ...item, addresses: [] })),
  (items) => items,
);

interface TaskSpecJson extends Pick<
  TaskSpec,
  'container' | 'attachment' | 'restart' | 'placement' | 'networks' | 'logDriver' | 'forceUpdate'
> {
  readonly resources?: Requirements;
  readonly runtime: string;
}

const json = struct<TaskSpecJson>('TaskSpec', {
  container: field('ContainerSpec', optional(containerSpec)),
  attachment: field(
    'NetworkAttachmentSpec',
    optional(struct('NetworkAttachmentSpec', { containerId: always('ContainerID', text) })),
  ),
  resources: field('Resources', optional(requirements)),
  restart: field('RestartPolicy', optional(restartPolicy)),
  placement: field('Placement', optional(placement)),
  networks: field('Networks', networkTargets),
  logDriver: field('LogDriver', optional(driver)),
  forceUpdate: always('ForceUpdate', uint64),
  runtime: field('Runtime', text),
});

function toModel({ runtime, resources, attachment: _, ...others }: TaskSpecJson): TaskSpec {
  if (runtime === 'plugin') throw new SwarmError('unsupported', 'services of plugins are not supported');
  if (runtime !== '' && runtime !== 'container') throw new SwarmError('invalid', 'unsupported runtime');
  if (!others.container) throw new SwarmError('invalid', 'mismatched Runtime and *Spec fields');
  return { ...others, ...resources, ...(resources ? { resourcesGiven: true } : {}) };
}

function toJson(spec: TaskSpec, runtime: string): TaskSpecJson {
  const {
    limits: limit,
    reservations: reserved,
    swapBytes,
    memorySwappiness,
    resourcesGiven,
    ...others
  } = spec;
  const hasAny =
    resourcesGiven ?? [limit, reserved, swapBytes, memorySwappiness].some((one) => one !== undefined);
  const resources = { limits: limit, reservations: reserved, swapBytes, memorySwappiness };
  return { ...others, ...(hasAny ? { resources } : {}), runtime };
}

/** A service's template; services of anything but containers are refused. */
export const taskTemplate: Shape<TaskSpec> = mapped(json, toModel, (spec) => toJson(spec, 'container'));

const written = new WeakMap<TaskSpec, unknown>();

/**
 * What a task was made from: Docker names a runtime only where it is no container. The answer is shared, as the spec is
 * among the tasks of a service.
 */
export function taskSpecJson(spec: TaskSpec): unknown {
  const known = written.get(spec);
  if (known !== undefined) return known;
  const fresh = json.write(toJson(spec, spec.attachment ? 'attachment' : ''));
  written.set(spec, fresh);
  return fresh;
}
