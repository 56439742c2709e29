/** The door of the model: what a swarm is made of. Pure. */
export type { Annotations, Driver, GenericResource, Labels, Meta, Platform, Resources } from './common.ts';
export type {
  Cluster,
  ClusterSpec,
  ExternalCa,
  NetworkKey,
  RaftConfig,
  RootCa,
  RootRotation,
} from './cluster.ts';
export type {
  Availability,
  Node,
  NodeCertificate,
  NodeDescription,
  NodeRole,
  NodeSpec,
  NodeState,
  NodeStatus,
} from './node.ts';
export { newManagerNode } from './manager-node.ts';
export { isWitness, TWO_MANAGERS, WITNESS_LABEL } from './witness.ts';
export { managersAmong } from './managers-among.ts';
export type {
  IpamConfig,
  IpamOptions,
  Network,
  NetworkAttachment,
  NetworkAttachmentConfig,
  NetworkSpec,
} from './network.ts';
export { attachmentsCover } from './attachments.ts';
export type { Seal, SealStage } from './seal.ts';
export type { Config, ConfigSpec, Secret, SecretSpec } from './secret.ts';
export type {
  ConfigReference,
  ContainerSpec,
  FileReference,
  Healthcheck,
  Mount,
  MountType,
  Privileges,
} from './container-spec.ts';
export type {
  Endpoint,
  EndpointSpec,
  Placement,
  PortConfig,
  PortProtocol,
  RestartPolicy,
  Service,
  ServiceMode,
  ServiceSpec,
  TaskSpec,
  UpdateConfig,
  UpdateState,
  UpdateStatus,
  VirtualIp,
} from './service.ts';
export {
  MESH_CLIENT_LABEL,
  type Backend,
  type BalancedNetwork,
  type BalancerMode,
  type BalancerReport,
  type DoctorFinding,
  type DoctorQuestion,
  type EndpointsNeeds,
  type EndpointsSource,
  type EndpointsUpdate,
  type MeshPort,
  type MeshPortRef,
  type ServiceEndpoints,
  type StopGate,
} from './endpoints.ts';
export { otherServiceId } from './other-service-id.ts';
export { slotNumber } from './slot.ts';
export type { Task, TaskStatus } from './task.ts';
export { hasEnded, stateRank, TASK_STATES, type TaskState } from './task-state.ts';
export { KINDS, type Kind, type Objects } from './objects.ts';
