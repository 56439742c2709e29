import { newId } from '../base/ids.ts';
import type { Cluster, ClusterSpec } from '../model/index.ts';
import type { Fresh } from '../store/index.ts';
import { newJoinToken } from './join-token.ts';
import { makeNetworkKeys } from './network-keys.ts';
import { createRootCa } from './root-ca.ts';

/** What `docker swarm init` may say; the rest is as Docker has it. */
export interface ClusterOptions {
  readonly spec?: Partial<ClusterSpec>;
  readonly defaultAddressPool?: readonly string[];
  readonly subnetSize?: number;
  readonly dataPathPort?: number;
}

const NS_PER_SECOND = 1_000_000_000;
const DAY_NS = 24 * 3600 * NS_PER_SECOND;

/** Docker's, but for the heartbeat: SwarmKit's 5 s notice a lost node after 11 s, this one in half of that. */
export const DEFAULT_CLUSTER_SPEC: ClusterSpec = {
  annotations: { name: 'default', labels: {} },
  taskHistoryLimit: 5,
  raft: {
    snapshotInterval: 10_000,
    keepOldSnapshots: 0,
    logEntriesForSlowFollowers: 500,
    electionTick: 10,
    heartbeatTick: 1,
  },
  heartbeatPeriodNs: 1.5 * NS_PER_SECOND,
  nodeCertExpiryNs: 90 * DAY_NS,
  externalCas: [],
  forceRotate: 0,
  autoLockManagers: false,
};

/** A new swarm: its root, its tokens, its keys. Options are taken as they are; who asks has checked them. */
export async function createCluster(options: ClusterOptions, nowMs: number): Promise<Fresh<'cluster'>> {
  const root = await createRootCa(nowMs);
  return {
    id: newId(),
    spec: { ...DEFAULT_CLUSTER_SPEC, ...options.spec },
    rootCa: {
      ...root,
      joinTokens: { worker: newJoinToken(root.certPem), manager: newJoinToken(root.certPem) },
      lastForcedRotation: options.spec?.forceRotate ?? 0,
    },
    networkKeys: makeNetworkKeys(),
    networkKeysAtMs: nowMs,
    defaultAddressPool: options.defaultAddressPool ?? ['10.0.0.0/8'],
    subnetSize: options.subnetSize ?? 24,
    dataPathPort: options.dataPathPort ?? 4789,
    removedNodes: {},
  };
}

/** The cluster with another token for one of the roles; who holds the old one can join no more. */
export function rotateJoinToken(cluster: Cluster, role: 'worker' | 'manager'): Cluster {
  const joinTokens = { ...cluster.rootCa.joinTokens, [role]: newJoinToken(cluster.rootCa.certPem) };
  return { ...cluster, rootCa: { ...cluster.rootCa, joinTokens } };
}
