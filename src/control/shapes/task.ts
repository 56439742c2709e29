import {
  slotNumber,
  type Network,
  type NetworkAttachment,
  type NetworkSpec,
  type Task,
  type TaskStatus,
} from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import { annotations, driver, genericResources, metaJson, timeText, versionJson } from './common.ts';
import { always, embedded, field, list, mapped, optional, struct } from './compound.ts';
import { flag, text } from './scalars.ts';
import type { Shape } from './shape.ts';
import { ports } from './service-spec.ts';
import { taskSpecJson } from './task-spec.ts';

/** A task as Docker's API has it. Its networks are shown whole, so the store is asked for them. */
export function taskJson(view: Pick<View, 'get'>, task: Task): Record<string, unknown> {
  const { assignedGenericResources: generic, jobIteration } = task;
  const slot = slotNumber(task);
  const networks = task.networks.map((attachment) => attachmentJson(view, attachment));
  return {
    ID: task.id,
    ...metaJson(task.meta),
    ...(annotations.write(task.annotations) as object),
    Spec: taskSpecJson(task.spec),
    ...(task.serviceId === '' ? {} : { ServiceID: task.serviceId }),
    ...(slot === 0 ? {} : { Slot: slot }),
    ...(task.nodeId === '' ? {} : { NodeID: task.nodeId }),
    Status: statusJson(task.status),
    DesiredState: task.desiredState,
    ...(networks.length > 0 ? { NetworksAttachments: networks } : {}),
    ...(generic.length > 0 ? { GenericResources: genericResources.write(generic) } : {}),
    ...(jobIteration === undefined ? {} : { JobIteration: versionJson(jobIteration) }),
  };
}

function statusJson({ state, timestampMs, message, err, container, ports: bound }: TaskStatus): unknown {
  return {
    Timestamp: timeText(timestampMs),
    State: state,
    ...(message === '' ? {} : { Message: message }),
    ...(err === '' ? {} : { Err: err }),
    ...(container
      ? { ContainerStatus: { ContainerID: container.id, PID: container.pid, ExitCode: container.exitCode } }
      : {}),
    PortStatus: bound.length > 0 ? { Ports: ports.write(bound) } : {},
  };
}

function attachmentJson(view: Pick<View, 'get'>, { networkId, addresses }: NetworkAttachment): unknown {
  const network = view.get('network', networkId);
  return {
    Network: network ? networkJson(network) : { ID: networkId },
    ...(addresses.length > 0 ? { Addresses: addresses } : {}),
  };
}

type Ipam = NonNullable<NetworkSpec['ipam']>;

/** Without the reserved addresses, which Docker does not show here. */
const ipam: Shape<Ipam> = mapped(
  struct<Ipam>('IPAMOptions', {
    driver: always('Driver', driver),
    configs: field(
      'Configs',
      list(
        mapped(
          struct<Omit<Ipam['configs'][number], 'reserved'>>('IPAMConfig', {
            subnet: field('Subnet', text),
            range: field('Range', text),
            gateway: field('Gateway', text),
          }),
          (config): Ipam['configs'][number] => ({ ...config, reserved: {} }),
          (config) => config,
        ),
      ),
    ),
  }),
  (options) => options,
  (options) => options,
);

interface NetworkSpecJson extends Pick<
  NetworkSpec,
  'annotations' | 'driver' | 'ipv6' | 'internal' | 'attachable' | 'ingress' | 'ipam'
> {
  readonly configFrom?: { readonly network: string };
  readonly scope: string;
}

const networkSpec = struct<NetworkSpecJson>('NetworkSpec', {
  annotations: embedded(annotations),
  driver: field('DriverConfiguration', optional(driver)),
  ipv6: field('IPv6Enabled', flag),
  internal: field('Internal', flag),
  attachable: field('Attachable', flag),
  ingress: field('Ingress', flag),
  ipam: field('IPAMOptions', optional(ipam)),
  configFrom: field(
    'ConfigFrom',
    optional(struct('network.ConfigReference', { network: always('Network', text) })),
  ),
  scope: field('Scope', text),
});

const written = new WeakMap<Network, unknown>();

/** Shared, because the tasks of a network are many. */
function networkJson(network: Network): unknown {
  const known = written.get(network);
  if (known !== undefined) return known;
  const fresh = writeNetwork(network);
  written.set(network, fresh);
  return fresh;
}

/** Of a network that every engine has, where nothing is allocated. */
const NO_IPAM: Ipam = { driver: { name: '', options: {} }, configs: [] };

function writeNetwork({ id, meta, spec, allocated }: Network): unknown {
  const { configFrom: from } = spec;
  const state =
    allocated ?? (spec.nodeLocal && spec.driver ? { driver: spec.driver, ipam: NO_IPAM } : undefined);
  return {
    ID: id,
    ...metaJson(meta),
    Spec: networkSpec.write({
      ...spec,
      configFrom: from === undefined ? undefined : { network: from },
      scope: 'swarm',
    }),
    DriverState: state ? driver.write(state.driver) : {},
    ...(state ? { IPAMOptions: ipam.write(state.ipam) } : {}),
  };
}
