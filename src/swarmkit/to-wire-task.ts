import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  TaskSchema,
  type EndpointSchema,
  type MetaSchema,
  type NetworkAttachmentSchema,
  type Task as WireTask,
} from '../../proto/generated/swarmkit/objects_pb.js';
import { TaskSpecSchema, type TaskSpec as WireTaskSpec } from '../../proto/generated/swarmkit/specs_pb.js';
import type {
  PortConfigSchema,
  ResourceRequirementsSchema,
  TaskStatusSchema,
} from '../../proto/generated/swarmkit/types_pb.js';
import {
  slotNumber,
  type Endpoint,
  type Meta,
  type Network,
  type NetworkAttachment,
  type PortConfig,
  type Task,
  type TaskSpec,
  type TaskStatus,
} from '../model/index.ts';
import { containerToWire } from './to-wire-container.ts';
import { networkToWire } from './to-wire-network.ts';
import {
  annotations,
  driver,
  duration,
  genericResource,
  given,
  int32,
  int64,
  resources,
  timestamp,
  uint32,
  uint64,
} from './to-wire-values.ts';
import { PROTOCOL, PUBLISH_MODE, RESOLUTION_MODE, RESTART_CONDITION, TASK_STATE } from './wire-enums.ts';

/** Finds a network by its id. */
export type NetworkById = (id: string) => Network | undefined;

/**
 * A task as its node's agent is to have it. Networks that are gone, or have no addresses yet, are left out, except from a
 * task that the agent does not have yet: it must not start without them. Throws `invalid` when it can't be said on
 * the wire.
 */
export function taskToWire(task: Task, networkById: NetworkById): WireTask {
  const strict = task.status.state === 'assigned';
  return create(TaskSchema, {
    id: task.id,
    meta: metaToWire(task.meta),
    spec: specToWire(task.spec),
    specVersion: { index: uint64(task.specVersion) },
    serviceId: task.engineServiceId ?? task.serviceId,
    slot: uint64(slotNumber(task)),
    nodeId: task.nodeId,
    annotations: annotations(task.annotations),
    serviceAnnotations: annotations(task.serviceAnnotations),
    status: status(task.status),
    desiredState: TASK_STATE[task.desiredState],
    networks: attachmentsToWire(task.networks, networkById, strict),
    ...given('endpoint', task.endpoint, endpoint),
    ...given('logDriver', task.logDriver, driver),
    assignedGenericResources: task.assignedGenericResources.map(genericResource),
    ...given('jobIteration', task.jobIteration, (index) => ({ index: uint64(index) })),
  });
}

export function metaToWire(meta: Meta): MessageInitShape<typeof MetaSchema> {
  return {
    version: { index: uint64(meta.version) },
    createdAt: timestamp(meta.createdAtMs),
    updatedAt: timestamp(meta.updatedAtMs),
  };
}

/** Places on networks, each with the whole network, as agents want them. */
export function attachmentsToWire(
  attachments: readonly NetworkAttachment[],
  networkById: NetworkById,
  strict: boolean,
): MessageInitShape<typeof NetworkAttachmentSchema>[] {
  return attachments.flatMap(({ networkId, addresses, aliases, driverOptions }) => {
    const network = networkToWire(networkById(networkId), networkId, strict);
    if (!network) return [];
    return [
      {
        network,
        addresses: [...addresses],
        aliases: [...aliases],
        driverAttachmentOpts: { ...driverOptions },
      },
    ];
  });
}

/** Specs are shared by many tasks and never changed; so is what is made of them. */
const specs = new WeakMap<TaskSpec, WireTaskSpec>();

function specToWire(spec: TaskSpec): WireTaskSpec {
  let made = specs.get(spec);
  if (!made) {
    made = create(TaskSpecSchema, taskSpec(spec));
    // Once for each spec: nothing that can't be encoded may get into a stream.
    toBinary(TaskSpecSchema, made);
    specs.set(spec, made);
  }
  return made;
}

function taskSpec(spec: TaskSpec): MessageInitShape<typeof TaskSpecSchema> {
  const { container, attachment } = spec;
  return {
    ...(container
      ? { runtime: { case: 'container', value: containerToWire(container, spec.limits?.pids ?? 0) } }
      : attachment
        ? { runtime: { case: 'attachment', value: { containerId: attachment.containerId } } }
        : {}),
    resources: requirements(spec),
    ...given('restart', spec.restart, (restart) => ({
      condition: RESTART_CONDITION[restart.condition],
      ...given('delay', restart.delayNs, duration),
      maxAttempts: uint64(restart.maxAttempts),
      ...given('window', restart.windowNs, duration),
    })),
    ...given('placement', spec.placement, ({ constraints, spreadOver, maxReplicas, platforms }) => ({
      constraints: [...constraints],
      preferences: spreadOver.map((spreadDescriptor) => ({
        preference: { case: 'spread' as const, value: { spreadDescriptor } },
      })),
      platforms: platforms.map(({ architecture, os }) => ({ architecture, os })),
      maxReplicas: uint64(maxReplicas),
    })),
    ...given('logDriver', spec.logDriver, driver),
    networks: spec.networks.map(({ target, aliases, addresses, driverOptions }) => ({
      target,
      aliases: [...aliases],
      addresses: [...addresses],
      driverAttachmentOpts: { ...driverOptions },
    })),
    forceUpdate: uint64(spec.forceUpdate),
  };
}

function requirements(spec: TaskSpec): MessageInitShape<typeof ResourceRequirementsSchema> {
  return {
    ...given('limits', spec.limits, resources),
    ...given('reservations', spec.reservations, resources),
    ...given('swapBytes', spec.swapBytes, int64),
    ...given('memorySwappiness', spec.memorySwappiness, int64),
  };
}

function status(of: TaskStatus): MessageInitShape<typeof TaskStatusSchema> {
  return {
    timestamp: timestamp(of.timestampMs),
    state: TASK_STATE[of.state],
    message: of.message,
    err: of.err,
    ...given('runtimeStatus', of.container, ({ id, pid, exitCode }) => ({
      case: 'container' as const,
      value: { containerId: id, pid: int32(pid), exitCode: int32(exitCode) },
    })),
    ...(of.ports.length > 0 ? { portStatus: { ports: of.ports.map(port) } } : {}),
    appliedBy: of.appliedBy,
    appliedAt: timestamp(of.appliedAtMs),
  };
}

function endpoint(of: Endpoint): MessageInitShape<typeof EndpointSchema> {
  return {
    spec: { mode: RESOLUTION_MODE[of.spec.mode], ports: of.spec.ports.map(port) },
    ports: of.ports.map(port),
    virtualIps: of.virtualIps.map(({ networkId, addr }) => ({ networkId, addr })),
  };
}

function port(of: PortConfig): MessageInitShape<typeof PortConfigSchema> {
  return {
    name: of.name,
    protocol: PROTOCOL[of.protocol],
    targetPort: uint32(of.targetPort),
    publishedPort: uint32(of.publishedPort),
    publishMode: PUBLISH_MODE[of.publishMode],
  };
}
