import { SwarmError } from '../../base/errors.ts';
import { DEFAULT_CLUSTER_SPEC } from '../../ca/index.ts';
import type { ClusterSpec } from '../../model/index.ts';
import { rpcError } from '../rpc-error.ts';
import type { SwarmSpecJson } from './shapes.ts';

const HOUR_NS = 3600 * 1_000_000_000;
/** Below this, agents would do little else than report. */
const MIN_HEARTBEAT_NS = 100 * 1_000_000;

/**
 * The spec that a client means. What is absent, or 0 where Docker takes that for absent, is the default. Throws `invalid`
 * in Docker's words, and `unsupported` for what this manager does not do.
 */
export function clusterSpec(json: SwarmSpecJson): ClusterSpec {
  const { annotations, orchestration, raft, dispatcher, ca, taskDefaults, encryption } = json;
  if (annotations.name !== '' && annotations.name !== 'default')
    throw new SwarmError('invalid', 'swarm spec must be named "default"');
  refuseUnsupported(json);
  const usual = DEFAULT_CLUSTER_SPEC;
  const { logDriver } = taskDefaults;
  return {
    annotations: { name: 'default', labels: annotations.labels },
    taskHistoryLimit: orchestration.limit ?? usual.taskHistoryLimit,
    raft: {
      snapshotInterval: raft.snapshotInterval || usual.raft.snapshotInterval,
      keepOldSnapshots: raft.keepOldSnapshots ?? usual.raft.keepOldSnapshots,
      logEntriesForSlowFollowers: raft.logEntriesForSlowFollowers || usual.raft.logEntriesForSlowFollowers,
      electionTick: raft.electionTick || usual.raft.electionTick,
      heartbeatTick: raft.heartbeatTick || usual.raft.heartbeatTick,
    },
    heartbeatPeriodNs: heartbeatOf(dispatcher.heartbeatPeriod) || usual.heartbeatPeriodNs,
    nodeCertExpiryNs: expiryOf(ca.nodeCertExpiry) || usual.nodeCertExpiryNs,
    externalCas: [],
    forceRotate: ca.forceRotate,
    autoLockManagers: encryption.autoLock,
    ...(logDriver && logDriver.name !== '' ? { logDriver } : {}),
  };
}

function refuseUnsupported({ ca }: SwarmSpecJson): void {
  if (ca.externalCas.length > 0)
    throw new SwarmError(
      'unsupported',
      'external CAs are not supported: this swarm signs with a CA of its own',
    );
}

function heartbeatOf(periodNs: number): number {
  if (periodNs < 0) throw rpcError('InvalidArgument', 'heartbeat time period cannot be a negative duration');
  if (periodNs === 0 || (periodNs >= MIN_HEARTBEAT_NS && periodNs <= HOUR_NS)) return periodNs;
  throw rpcError('InvalidArgument', 'heartbeat time period must be between 100ms and 1h');
}

function expiryOf(expiryNs: number): number {
  if (expiryNs === 0 || expiryNs >= HOUR_NS) return expiryNs;
  throw rpcError('InvalidArgument', 'minimum certificate expiry time is: 1h0m0s');
}
