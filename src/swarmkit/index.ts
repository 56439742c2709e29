/** The door of the wire: SwarmKit's gRPC protocol, as stock Docker Engines speak it. */
export { startSwarmPort, type SwarmPort, type SwarmPortOptions } from './port/swarm-port.ts';
export type { ManagerPlace } from './port/manager-socket.ts';
export type { ApiHandler } from './port/api-door.ts';
export {
  connectLeaderApi,
  LeaderRequestError,
  type LeaderApi,
  type LeaderApiOptions,
  type LeaderRequest,
} from './port/leader-api.ts';
export { linkToManager, type ManagerLink } from './manager-link.ts';
export { connectJoining, connectManagers } from './managers-client.ts';
export {
  ANY_MANAGER_TLS,
  callerAddr,
  callerKeyOf,
  callerOf,
  lapsedCallerOf,
  managerTls,
  requireManager,
  requireNode,
  ROLE_OU,
  type CallContext,
  type Identity,
  type Membership,
  type SwarmCredentials,
} from './identity.ts';
export { configToWire, secretToWire } from './to-wire-data.ts';
export { networkKeyToWire, nodeToWire } from './to-wire-node.ts';
export { taskToWire, type NetworkById } from './to-wire-task.ts';
export { descriptionFromWire } from './from-wire-node.ts';
export { statusFromWire, type ReportedStatus } from './from-wire-status.ts';
export { whileRead } from './while-read.ts';
