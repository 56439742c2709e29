import type { Annotations, Driver, Meta } from './common.ts';

/** What `docker swarm init` and `docker swarm update` set. */
export interface ClusterSpec {
  readonly annotations: Annotations;
  /** How many former tasks a slot keeps; below 0 for all. */
  readonly taskHistoryLimit: number;
  /** Shown and kept as given; there is no raft underneath. */
  readonly raft: RaftConfig;
  /** How often agents are to be heard of. */
  readonly heartbeatPeriodNs: number;
  readonly nodeCertExpiryNs: number;
  readonly externalCas: readonly ExternalCa[];
  readonly forceRotate: number;
  readonly autoLockManagers: boolean;
  /** For tasks that name none. */
  readonly logDriver?: Driver;
}

export interface RaftConfig {
  readonly snapshotInterval: number;
  readonly keepOldSnapshots: number;
  readonly logEntriesForSlowFollowers: number;
  readonly electionTick: number;
  readonly heartbeatTick: number;
}

export interface ExternalCa {
  readonly protocol: string;
  readonly url: string;
  readonly options: Readonly<Record<string, string>>;
  readonly caCertPem?: string;
}

/** The swarm's root of trust, and what lets nodes join. */
export interface RootCa {
  /** PEM, exactly the bytes that the tokens' digest is of. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly joinTokens: { readonly worker: string; readonly manager: string };
  readonly lastForcedRotation: number;
  /** While nodes go over to another root; until all have, everybody trusts this one. */
  readonly rotation?: RootRotation;
  /** This root's key as the root before it certified it; PEM. For nodes that have not heard of this root yet. */
  readonly bridgePem?: string;
}

/** The root that is to come; PEM. Its key signs every new certificate already. */
export interface RootRotation {
  readonly certPem: string;
  readonly keyPem: string;
  /** Its key, certified by the present root. */
  readonly crossPem: string;
}

/** A key of the overlay networks' gossip or of their encryption; `lamportTime` is larger for newer ones. */
export interface NetworkKey {
  readonly subsystem: 'networking:gossip' | 'networking:ipsec';
  /** 16 bytes, base64. */
  readonly key: string;
  readonly lamportTime: number;
}

export interface Cluster {
  readonly id: string;
  readonly meta: Meta;
  readonly spec: ClusterSpec;
  readonly rootCa: RootCa;
  /** Three of each subsystem, the newest last. */
  readonly networkKeys: readonly NetworkKey[];
  /** When the newest of them were made; undefined is when the cluster was. */
  readonly networkKeysAtMs?: number;
  /** `a.b.c.d/n`, from which overlay networks get their subnets. */
  readonly defaultAddressPool: readonly string[];
  /** The prefix length of those subnets. */
  readonly subnetSize: number;
  readonly dataPathPort: number;
  /** Nodes that were removed and may not come back, by id: until when (ms) their certificates would be good. */
  readonly removedNodes: Readonly<Record<string, number>>;
}
