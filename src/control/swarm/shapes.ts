import type { Annotations, ClusterSpec, Driver } from '../../model/index.ts';
import { annotations, driver } from '../shapes/common.ts';
import { always, embedded, field, list, optional, struct, textMap, texts } from '../shapes/compound.ts';
import { duration, flag, int32, int64, text, uint32, uint64 } from '../shapes/scalars.ts';
import type { Shape } from '../shapes/shape.ts';

/** A swarm's spec as Docker's API has it. */
export interface SwarmSpecJson {
  readonly annotations: Annotations;
  readonly orchestration: { readonly limit?: number };
  readonly raft: {
    readonly snapshotInterval: number;
    readonly keepOldSnapshots?: number;
    readonly logEntriesForSlowFollowers: number;
    readonly electionTick: number;
    readonly heartbeatTick: number;
  };
  readonly dispatcher: { readonly heartbeatPeriod: number };
  readonly ca: {
    readonly nodeCertExpiry: number;
    readonly externalCas: readonly ExternalCaJson[];
    readonly signingCert: string;
    readonly signingKey: string;
    readonly forceRotate: number;
  };
  readonly taskDefaults: { readonly logDriver?: Driver };
  readonly encryption: { readonly autoLock: boolean };
}

interface ExternalCaJson {
  readonly protocol: string;
  readonly url: string;
  readonly options: Readonly<Record<string, string>>;
  readonly cert: string;
}

export const swarmSpec: Shape<SwarmSpecJson> = struct<SwarmSpecJson>('Spec', {
  annotations: embedded(annotations),
  orchestration: always(
    'Orchestration',
    struct('OrchestrationConfig', { limit: field('TaskHistoryRetentionLimit', optional(int64)) }),
  ),
  raft: always(
    'Raft',
    struct<SwarmSpecJson['raft']>('RaftConfig', {
      snapshotInterval: field('SnapshotInterval', uint64),
      keepOldSnapshots: field('KeepOldSnapshots', optional(uint64)),
      logEntriesForSlowFollowers: field('LogEntriesForSlowFollowers', uint64),
      electionTick: always('ElectionTick', int32),
      heartbeatTick: always('HeartbeatTick', int32),
    }),
  ),
  dispatcher: always(
    'Dispatcher',
    struct('DispatcherConfig', { heartbeatPeriod: field('HeartbeatPeriod', duration) }),
  ),
  ca: always(
    'CAConfig',
    struct<SwarmSpecJson['ca']>('CAConfig', {
      nodeCertExpiry: field('NodeCertExpiry', duration),
      externalCas: field(
        'ExternalCAs',
        list(
          struct<ExternalCaJson>('ExternalCA', {
            protocol: always('Protocol', text),
            url: always('URL', text),
            options: field('Options', textMap),
            cert: always('CACert', text),
          }),
        ),
      ),
      signingCert: field('SigningCACert', text),
      signingKey: field('SigningCAKey', text),
      forceRotate: field('ForceRotate', uint64),
    }),
  ),
  taskDefaults: always(
    'TaskDefaults',
    struct('TaskDefaults', { logDriver: field('LogDriver', optional(driver)) }),
  ),
  encryption: always(
    'EncryptionConfig',
    struct('EncryptionConfig', { autoLock: always('AutoLockManagers', flag) }),
  ),
});

/** The body of `POST /swarm/init`. */
export interface InitJson {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  readonly dataPathPort: number;
  readonly forceNewCluster: boolean;
  readonly spec: SwarmSpecJson;
  readonly autoLock: boolean;
  readonly availability: string;
  readonly pools: readonly string[];
  readonly subnetSize: number;
}

export const initBody: Shape<InitJson> = struct<InitJson>('InitRequest', {
  listenAddr: always('ListenAddr', text),
  advertiseAddr: always('AdvertiseAddr', text),
  dataPathAddr: always('DataPathAddr', text),
  dataPathPort: always('DataPathPort', uint32),
  forceNewCluster: always('ForceNewCluster', flag),
  spec: always('Spec', swarmSpec),
  autoLock: always('AutoLockManagers', flag),
  availability: always('Availability', text),
  pools: always('DefaultAddrPool', texts),
  subnetSize: always('SubnetSize', uint32),
});

/** A stored spec in the form that clients read and send back. */
export function specJson(spec: ClusterSpec): unknown {
  const { snapshotInterval, keepOldSnapshots, logEntriesForSlowFollowers, electionTick, heartbeatTick } =
    spec.raft;
  return swarmSpec.write({
    annotations: spec.annotations,
    orchestration: { limit: spec.taskHistoryLimit },
    raft: { snapshotInterval, keepOldSnapshots, logEntriesForSlowFollowers, electionTick, heartbeatTick },
    dispatcher: { heartbeatPeriod: spec.heartbeatPeriodNs },
    ca: {
      nodeCertExpiry: spec.nodeCertExpiryNs,
      externalCas: [],
      signingCert: '',
      signingKey: '',
      forceRotate: spec.forceRotate,
    },
    taskDefaults: spec.logDriver ? { logDriver: spec.logDriver } : {},
    encryption: { autoLock: spec.autoLockManagers },
  });
}
