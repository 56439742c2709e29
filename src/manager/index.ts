/** The door of the manager: everything behind a swarm's port. */
export type { CaredSwarm, Leading, StoreKeeping } from './leading.ts';
export type { ShownManager } from './manager-addresses.ts';
export { startManager, type Manager, type ManagerOptions } from './manager.ts';
export type { Candidate, StoreAccess, StoreMember, WorkerHost } from './managers-service.ts';
