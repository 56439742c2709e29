import {
  ContainerSpec_Isolation as WireIsolation,
  EndpointSpec_ResolutionMode as WireMode,
  NodeSpec_Availability as WireAvailability,
} from '../../proto/generated/swarmkit/specs_pb.js';
import {
  Mount_BindOptions_Propagation as WirePropagation,
  Mount_Consistency as WireConsistency,
  Mount_Type as WireMountType,
  NodeStatus_State as WireNodeState,
  PortConfig_Protocol as WireProtocol,
  PortConfig_PublishMode as WirePublishMode,
  Privileges_AppArmorOpts_AppArmorMode as WireAppArmor,
  Privileges_SeccompOpts_SeccompMode as WireSeccomp,
  RestartPolicy_RestartCondition as WireCondition,
  TaskState as WireTaskState,
} from '../../proto/generated/swarmkit/types_pb.js';
import type {
  Availability,
  ContainerSpec,
  Endpoint,
  Mount,
  MountType,
  NodeState,
  PortConfig,
  PortProtocol,
  Privileges,
  RestartPolicy,
  TaskState,
} from '../model/index.ts';

type Table<K extends string, V> = Readonly<Record<K, V>>;

export const TASK_STATE: Table<TaskState, WireTaskState> = {
  new: WireTaskState.NEW,
  pending: WireTaskState.PENDING,
  assigned: WireTaskState.ASSIGNED,
  accepted: WireTaskState.ACCEPTED,
  preparing: WireTaskState.PREPARING,
  ready: WireTaskState.READY,
  starting: WireTaskState.STARTING,
  running: WireTaskState.RUNNING,
  complete: WireTaskState.COMPLETE,
  shutdown: WireTaskState.SHUTDOWN,
  failed: WireTaskState.FAILED,
  rejected: WireTaskState.REJECTED,
  remove: WireTaskState.REMOVE,
  orphaned: WireTaskState.ORPHANED,
};

export const NODE_STATE: Table<NodeState, WireNodeState> = {
  unknown: WireNodeState.UNKNOWN,
  down: WireNodeState.DOWN,
  ready: WireNodeState.READY,
  disconnected: WireNodeState.DISCONNECTED,
};

export const AVAILABILITY: Table<Availability, WireAvailability> = {
  active: WireAvailability.ACTIVE,
  pause: WireAvailability.PAUSE,
  drain: WireAvailability.DRAIN,
};

export const PROTOCOL: Table<PortProtocol, WireProtocol> = {
  tcp: WireProtocol.TCP,
  udp: WireProtocol.UDP,
  sctp: WireProtocol.SCTP,
};

export const PUBLISH_MODE: Table<PortConfig['publishMode'], WirePublishMode> = {
  ingress: WirePublishMode.INGRESS,
  host: WirePublishMode.HOST,
};

export const RESOLUTION_MODE: Table<Endpoint['spec']['mode'], WireMode> = {
  vip: WireMode.VIP,
  dnsrr: WireMode.DNSRR,
};

export const MOUNT_TYPE: Table<MountType, WireMountType> = {
  bind: WireMountType.BIND,
  volume: WireMountType.VOLUME,
  tmpfs: WireMountType.TMPFS,
  npipe: WireMountType.NPIPE,
  cluster: WireMountType.CLUSTER,
};

export const CONSISTENCY: Table<Mount['consistency'], WireConsistency> = {
  '': WireConsistency.DEFAULT,
  default: WireConsistency.DEFAULT,
  consistent: WireConsistency.CONSISTENT,
  cached: WireConsistency.CACHED,
  delegated: WireConsistency.DELEGATED,
};

export const PROPAGATION: Table<NonNullable<Mount['bind']>['propagation'], WirePropagation> = {
  '': WirePropagation.RPRIVATE,
  rprivate: WirePropagation.RPRIVATE,
  private: WirePropagation.PRIVATE,
  rshared: WirePropagation.RSHARED,
  shared: WirePropagation.SHARED,
  rslave: WirePropagation.RSLAVE,
  slave: WirePropagation.SLAVE,
};

export const ISOLATION: Table<ContainerSpec['isolation'], WireIsolation> = {
  '': WireIsolation.DEFAULT,
  default: WireIsolation.DEFAULT,
  process: WireIsolation.PROCESS,
  hyperv: WireIsolation.HYPERV,
};

export const SECCOMP: Table<NonNullable<Privileges['seccomp']>['mode'], WireSeccomp> = {
  default: WireSeccomp.DEFAULT,
  unconfined: WireSeccomp.UNCONFINED,
  custom: WireSeccomp.CUSTOM,
};

export const APPARMOR: Table<NonNullable<Privileges['apparmor']>['mode'], WireAppArmor> = {
  default: WireAppArmor.DEFAULT,
  disabled: WireAppArmor.DISABLED,
};

export const RESTART_CONDITION: Table<RestartPolicy['condition'], WireCondition> = {
  none: WireCondition.NONE,
  'on-failure': WireCondition.ON_FAILURE,
  any: WireCondition.ANY,
};

/** The model's word for each of the wire's numbers. */
export function reversed<K extends string, V extends number>(table: Table<K, V>): ReadonlyMap<V, K> {
  return new Map((Object.entries(table) as [K, V][]).map(([word, number]) => [number, word]));
}
