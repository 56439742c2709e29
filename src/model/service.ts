import type { Annotations, Driver, Meta, Platform, Resources } from './common.ts';
import type { ContainerSpec } from './container-spec.ts';
import type { NetworkAttachmentConfig } from './network.ts';

/** How many tasks a service has, and whether they are to end. */
export type ServiceMode =
  | { readonly kind: 'replicated'; readonly replicas: number }
  | { readonly kind: 'global' }
  | {
      readonly kind: 'replicated-job';
      readonly maxConcurrent: number;
      readonly totalCompletions: number;
    }
  | { readonly kind: 'global-job' };

export interface RestartPolicy {
  readonly condition: 'none' | 'on-failure' | 'any';
  readonly delayNs?: number;
  /** 0 for no limit. */
  readonly maxAttempts: number;
  /** Attempts are counted within it; 0 for all time. */
  readonly windowNs?: number;
}

export interface UpdateConfig {
  /** How many tasks at a time; 0 for all. */
  readonly parallelism: number;
  readonly delayNs: number;
  readonly failureAction: 'pause' | 'continue' | 'rollback';
  /** How long a new task is watched for a failure; undefined is Docker's 5 s. */
  readonly monitorNs?: number;
  readonly maxFailureRatio: number;
  readonly order: 'stop-first' | 'start-first';
}

export interface Placement {
  /** As written: `node.labels.zone == a`. */
  readonly constraints: readonly string[];
  /** What to spread over, the first first: `node.labels.zone`. */
  readonly spreadOver: readonly string[];
  /** On one node; 0 for no limit. */
  readonly maxReplicas: number;
  /** Any of these will do; none given means all. */
  readonly platforms: readonly Platform[];
}

export interface TaskSpec {
  /** What an engine asked for by `docker run --network` instead of a container. */
  readonly attachment?: { readonly containerId: string };
  readonly container?: ContainerSpec;
  /** The user gave resources, if only an empty object; shown again as given. */
  readonly resourcesGiven?: true;
  readonly limits?: Resources;
  readonly reservations?: Resources;
  readonly swapBytes?: number;
  readonly memorySwappiness?: number;
  readonly restart?: RestartPolicy;
  readonly placement?: Placement;
  readonly logDriver?: Driver;
  readonly networks: readonly NetworkAttachmentConfig[];
  readonly forceUpdate: number;
}

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

export interface PortConfig {
  readonly name: string;
  readonly protocol: PortProtocol;
  readonly targetPort: number;
  /** 0 lets the swarm (ingress) or the engine (host) choose. */
  readonly publishedPort: number;
  readonly publishMode: 'ingress' | 'host';
}

export interface EndpointSpec {
  readonly mode: 'vip' | 'dnsrr';
  readonly ports: readonly PortConfig[];
}

export interface ServiceSpec {
  readonly annotations: Annotations;
  readonly task: TaskSpec;
  readonly mode: ServiceMode;
  readonly update?: UpdateConfig;
  readonly rollback?: UpdateConfig;
  readonly endpoint?: EndpointSpec;
}

/** What the allocator made of an endpoint's spec. */
export interface Endpoint {
  readonly spec: EndpointSpec;
  readonly ports: readonly PortConfig[];
  /** `10.0.9.2/24` on each network. */
  readonly virtualIps: readonly VirtualIp[];
  /**
   * Those that the spec asks for no more, on networks where the service still has tasks: clients know them, and have
   * connections to them.
   */
  readonly leavingIps?: readonly VirtualIp[];
}

export interface VirtualIp {
  readonly networkId: string;
  readonly addr: string;
}

export type UpdateState =
  'updating' | 'paused' | 'completed' | 'rollback_started' | 'rollback_paused' | 'rollback_completed';

export interface UpdateStatus {
  readonly state: UpdateState;
  readonly startedAtMs: number;
  readonly completedAtMs?: number;
  readonly message: string;
}

export interface Service {
  readonly id: string;
  readonly meta: Meta;
  readonly spec: ServiceSpec;
  /** The store's version at which the spec was last written; tasks name the one they were made from. */
  readonly specVersion: number;
  readonly previousSpec?: ServiceSpec;
  readonly previousSpecVersion?: number;
  readonly endpoint?: Endpoint;
  readonly updateStatus?: UpdateStatus;
  /** Of a job: which run this is, and when it began. */
  readonly job?: { readonly iteration: number; readonly lastExecutionMs: number };
}
