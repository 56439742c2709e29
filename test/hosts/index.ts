export { startHosts, whyNoHosts, type Hosts, type HostsOptions } from './hosts.ts';
export type { Host } from './host.ts';
export {
  dockerClis,
  ensureBuildx,
  ensureComposeV2,
  ensureEngine,
  type DockerCli,
  type EngineVersion,
} from './engines.ts';
export { archiveOf } from './image-archive.ts';
export { imageArchive } from './images.ts';
export { swarmImageArchive } from './swarm-image.ts';
export { leftovers } from './leftovers.ts';
export { hostEnvironment } from './network.ts';
export {
  isAlive,
  noDockerConfig,
  parentOf,
  processIds,
  run,
  tryRun,
  until,
  type CommandOptions,
  type CommandResult,
} from './shell.ts';
