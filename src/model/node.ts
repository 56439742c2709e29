import type { Annotations, Labels, Meta, Platform, Resources } from './common.ts';
import type { NetworkAttachment } from './network.ts';

export type NodeRole = 'worker' | 'manager';
export type Availability = 'active' | 'pause' | 'drain';
export type NodeState = 'unknown' | 'down' | 'ready' | 'disconnected';

export interface NodeSpec {
  readonly annotations: Annotations;
  /** The role that the user wants. */
  readonly role: NodeRole;
  readonly availability: Availability;
}

/** What an agent says of its host and engine. */
export interface NodeDescription {
  readonly hostname: string;
  readonly platform: Platform;
  readonly resources: Resources;
  readonly engineVersion: string;
  readonly engineLabels: Labels;
  readonly plugins: readonly { readonly type: string; readonly name: string }[];
  /** Base64 of DER, as Docker's JSON has them; '' while unknown. */
  readonly tls: {
    readonly trustRootPem: string;
    readonly issuerSubject: string;
    readonly issuerPublicKey: string;
  };
  readonly fips: boolean;
}

export interface NodeStatus {
  readonly state: NodeState;
  readonly message: string;
  /** The address that its agent's connections come from. */
  readonly addr: string;
}

/** The certificate that a node was given last. */
export interface NodeCertificate {
  /** PEM as it was sent, byte for byte. */
  readonly csrPem: string;
  /** The leaf and what it needs to be trusted. */
  readonly certPem: string;
  /** `rotate` asks the node to renew. */
  readonly state: 'issued' | 'rotate';
  /** The key (SHA-256, hex) by which the node asked for this one: it may not have got the answer. */
  readonly askedByKey?: string;
}

export interface Node {
  readonly id: string;
  readonly meta: Meta;
  readonly spec: NodeSpec;
  /** The role it has; to its engine it is a worker always. */
  readonly role: NodeRole;
  readonly status: NodeStatus;
  readonly certificate: NodeCertificate;
  /** Absent until its agent's first session. */
  readonly description?: NodeDescription;
  /** Of a host that runs a manager: `host:port` of the swarm's port there. */
  readonly managerAddr?: string;
  /** Its address on each overlay network that it takes part in, the ingress network included. */
  readonly attachments: readonly NetworkAttachment[];
}
