import type { Platform, PortConfig, Task } from '../../model/index.ts';
import { type Constraint, parseConstraint } from './constraint.ts';
import type { GenericDemand } from './generic-use.ts';

/** What the tasks of one service and version ask of a node. */
export interface TaskRequest {
  readonly serviceId: string;
  /** Of the service and the version of its spec, for counting failures. */
  readonly failureKey: string;
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly generic: readonly GenericDemand[];
  readonly volumeDrivers: readonly string[];
  /** It mounts volumes of the cluster, which there are none of. */
  readonly clusterVolumes: boolean;
  readonly networkDrivers: readonly string[];
  /** '' for any. */
  readonly logDriver: string;
  readonly constraints: readonly Constraint[];
  /** Any of these; none means all. */
  readonly platforms: readonly Platform[];
  /** `80/tcp` */
  readonly hostPorts: readonly string[];
  /** On one node; 0 for no limit. */
  readonly maxReplicas: number;
  readonly spreadOver: readonly string[];
}

/** Reads a task; `driverOf` is the driver of a network by its id, undefined while it has none. */
export function requestOf(task: Task, driverOf: (networkId: string) => string | undefined): TaskRequest {
  const { spec } = task;
  const { reservations, placement } = spec;
  const mounts = spec.container?.mounts ?? [];
  return {
    serviceId: task.serviceId,
    failureKey: failureKeyOf(task),
    nanoCpus: reservations?.nanoCpus ?? 0,
    memoryBytes: reservations?.memoryBytes ?? 0,
    generic: (reservations?.generic ?? []).map(({ kind, value }) => ({
      kind,
      // Names can't be asked for: no node has enough of what is no number.
      amount: typeof value === 'number' ? value : Infinity,
    })),
    volumeDrivers: mounts.flatMap(({ type, volume }) => {
      const name = type === 'volume' ? (volume?.driver?.name ?? '') : '';
      return name === '' || name === 'local' ? [] : [name];
    }),
    clusterVolumes: mounts.some(({ type }) => type === 'cluster'),
    networkDrivers: [...new Set(task.networks.flatMap(({ networkId }) => driverOf(networkId) || []))],
    logDriver: logDriverOf(spec.logDriver?.name),
    constraints: (placement?.constraints ?? []).map(constraintOf),
    platforms: placement?.platforms ?? [],
    hostPorts: hostPortsOf(task),
    maxReplicas: placement?.maxReplicas ?? 0,
    spreadOver: placement?.spreadOver ?? [],
  };
}

export function failureKeyOf({ serviceId, specVersion }: Task): string {
  return `${serviceId}.${specVersion}`;
}

function logDriverOf(name: string | undefined): string {
  return name === undefined || name === 'none' ? '' : name;
}

/** What can't be read was refused when the service was made; should it be there, then no node will do. */
function constraintOf(text: string): Constraint {
  try {
    return parseConstraint(text);
  } catch {
    return { key: text, operator: '==', value: '', matches: () => false };
  }
}

const NO_PORTS: readonly string[] = [];

/** The ports that a task takes on its host by number: `80/tcp`. */
export function hostPortsOf({ endpoint }: Task): readonly string[] {
  if (!endpoint) return NO_PORTS;
  const ports = endpoint.ports.length > 0 ? endpoint.ports : endpoint.spec.ports;
  return ports.some(isHostPort) ? ports.filter(isHostPort).map(portKey) : NO_PORTS;
}

function isHostPort({ publishMode, publishedPort }: PortConfig): boolean {
  return publishMode === 'host' && publishedPort !== 0;
}

function portKey({ protocol, publishedPort }: PortConfig): string {
  return `${publishedPort}/${protocol}`;
}
