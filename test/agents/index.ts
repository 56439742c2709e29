/** Agents without containers, for tests and measurements of a manager. */
export { Agent, type AgentOptions } from './agent.ts';
export {
  connectTo,
  fetchRoot,
  joinSwarm,
  makeCsr,
  renewCertificate,
  type AgentCredentials,
  type Connection,
} from './credentials.ts';
export type { Fate, LivingTask } from './task-life.ts';
export { startTestSwarm, type TestSwarm, type TestSwarmOptions } from './test-swarm.ts';
export { startTestFollower, type TestFollower, type TestFollowerOptions } from './test-follower.ts';
