import type { Annotations, Driver, Labels, Meta } from './common.ts';

export interface IpamConfig {
  /** `10.0.9.0/24` */
  readonly subnet: string;
  /** '' where the whole subnet is. */
  readonly range: string;
  readonly gateway: string;
  /** Addresses that nobody gets, by name. */
  readonly reserved: Labels;
}

export interface IpamOptions {
  readonly driver: Driver;
  readonly configs: readonly IpamConfig[];
}

export interface NetworkSpec {
  readonly annotations: Annotations;
  readonly driver?: Driver;
  readonly ipv6: boolean;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly ingress: boolean;
  /** As the user wrote it. */
  readonly ipam?: IpamOptions;
  /** The config-only network whose settings count, by name. */
  readonly configFrom?: string;
  readonly configOnly: boolean;
  /** A network of each engine by this name (`bridge`, `host`, or made by hand), which services may use; never allocated. */
  readonly nodeLocal: boolean;
}

export interface Network {
  readonly id: string;
  readonly meta: Meta;
  readonly spec: NetworkSpec;
  /** What the allocator chose; absent until then. */
  readonly allocated?: {
    /** Options of the driver, the VXLAN ids among them. */
    readonly driver: Driver;
    readonly ipam: IpamOptions;
  };
  /** Removed by its user, and still held by tasks that end. */
  readonly pendingDelete?: boolean;
}

/** A wish for a network, in a service's spec. */
export interface NetworkAttachmentConfig {
  /** Name or id as the user gave it; an id once the spec is stored. */
  readonly target: string;
  readonly aliases: readonly string[];
  readonly driverOptions: Labels;
  readonly addresses: readonly string[];
}

/** A place on a network that a task or a node has. */
export interface NetworkAttachment {
  readonly networkId: string;
  /** `10.0.9.11/24` */
  readonly addresses: readonly string[];
  readonly aliases: readonly string[];
  readonly driverOptions: Labels;
}
