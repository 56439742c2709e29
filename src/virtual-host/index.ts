export type { ListenAddress, ManagerConfig, TlsMaterial } from './config.ts';
export { startManager, type Manager } from './manager.ts';
