/** The door of the manager: everything behind a swarm's port. */
export { startManager, type Manager, type ManagerOptions } from './manager.ts';
