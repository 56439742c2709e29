import type { Handler } from './context.ts';
import { createContainerList } from './containers/container-list.ts';
import {
  changeContainer,
  copyFromContainer,
  createExec,
  inspectContainer,
  passToContainer,
  passToExec,
  removeContainer,
  renameContainer,
  startContainer,
  updateContainer,
} from './containers/containers.ts';
import { createContainer } from './containers/create.ts';
import { buildImage, cancelBuild, commitContainer } from './images/build.ts';
import { diskUsage } from './system/disk-usage.ts';
import { createImage, loadImages } from './images/image-create.ts';
import { createImageList } from './images/image-list.ts';
import { passToImage, pushImage, removeImage, saveImages, tagImage } from './images/images.ts';
import {
  pruneBuildCache,
  pruneContainers,
  pruneImages,
  pruneNetworks,
  pruneVolumes,
} from './system/prune.ts';
import { debugVars } from './system/debug.ts';
import { events } from './system/events.ts';
import { createInfo } from './system/info.ts';
import { metricsPage } from './system/metrics.ts';
import { connectNetwork, disconnectNetwork } from './networks/networks-connect.ts';
import { createNetwork } from './networks/networks-create.ts';
import { inspectNetwork, listNetworks } from './networks/networks.ts';
import { removeNetwork } from './networks/networks-remove.ts';
import { noPlugin, notSupported, passToAny, passToBuilder, ping, version } from './system/system.ts';
import { createVolume } from './volumes/volumes-create.ts';
import { inspectVolume, listVolumes, removeVolume } from './volumes/volumes.ts';

/**
 * What happens to a call:
 * - own: the manager answers by itself;
 * - merged: put together from all engines;
 * - home: the engine where the thing is;
 * - placed: the engine the scheduler chooses;
 * - all: every engine (that has it, for what removes or tags);
 * - one: any one engine;
 * - refused: 501, because a cluster can't do it.
 */
export type Treatment = 'own' | 'merged' | 'home' | 'placed' | 'all' | 'one' | 'refused';

export interface Route {
  method: string;
  pattern: string;
  treatment: Treatment;
  handler: Handler;
}

/** Every route of the Engine API up to 1.51 and of standalone Swarm; docs/design/virtual-host.md shows the same table. */
export function createRoutes(): Route[] {
  const route = (method: string, pattern: string, treatment: Treatment, handler: Handler): Route => ({
    method,
    pattern,
    treatment,
    handler,
  });
  const list = createContainerList();
  return [
    route('GET', '/_ping', 'own', ping),
    route('HEAD', '/_ping', 'own', ping),
    route('GET', '/version', 'own', version),
    route('GET', '/info', 'merged', createInfo()),
    route('GET', '/events', 'merged', events),
    route('GET', '/metrics', 'own', metricsPage),
    route('GET', '/debug/vars', 'own', debugVars),
    route('POST', '/auth', 'one', passToAny),
    route('GET', '/distribution/{name}/json', 'one', passToAny),
    route('POST', '/session', 'one', passToBuilder),
    route('POST', '/grpc', 'one', passToBuilder),

    route('GET', '/containers/json', 'merged', list),
    route('GET', '/containers/ps', 'merged', list),
    route('POST', '/containers/create', 'placed', createContainer),
    route('GET', '/containers/{name}/json', 'home', inspectContainer),
    route('GET', '/containers/{name}/top', 'home', passToContainer),
    route('GET', '/containers/{name}/logs', 'home', passToContainer),
    route('GET', '/containers/{name}/changes', 'home', passToContainer),
    route('GET', '/containers/{name}/export', 'home', passToContainer),
    route('GET', '/containers/{name}/stats', 'home', passToContainer),
    route('GET', '/containers/{name}/attach/ws', 'home', passToContainer),
    route('HEAD', '/containers/{name}/archive', 'home', passToContainer),
    route('GET', '/containers/{name}/archive', 'home', passToContainer),
    route('PUT', '/containers/{name}/archive', 'home', passToContainer),
    route('POST', '/containers/{name}/copy', 'home', copyFromContainer),
    route('POST', '/containers/{name}/resize', 'home', passToContainer),
    route('POST', '/containers/{name}/attach', 'home', passToContainer),
    route('POST', '/containers/{name}/start', 'home', startContainer),
    route('POST', '/containers/{name}/stop', 'home', changeContainer),
    route('POST', '/containers/{name}/restart', 'home', changeContainer),
    route('POST', '/containers/{name}/kill', 'home', changeContainer),
    route('POST', '/containers/{name}/pause', 'home', changeContainer),
    route('POST', '/containers/{name}/unpause', 'home', changeContainer),
    route('POST', '/containers/{name}/wait', 'home', changeContainer),
    route('POST', '/containers/{name}/update', 'home', updateContainer),
    route('POST', '/containers/{name}/rename', 'home', renameContainer),
    route('POST', '/containers/{name}/exec', 'home', createExec),
    route('DELETE', '/containers/{name}', 'home', removeContainer),
    route('POST', '/exec/{id}/start', 'home', passToExec),
    route('POST', '/exec/{id}/resize', 'home', passToExec),
    route('GET', '/exec/{id}/json', 'home', passToExec),

    route('GET', '/images/json', 'merged', createImageList()),
    route('GET', '/images/search', 'one', passToAny),
    route('GET', '/images/get', 'home', saveImages),
    route('POST', '/images/create', 'all', createImage),
    route('POST', '/images/load', 'all', loadImages),
    route('GET', '/images/{name}/json', 'home', passToImage),
    route('GET', '/images/{name}/history', 'home', passToImage),
    route('GET', '/images/{name}/get', 'home', passToImage),
    route('POST', '/images/{name}/push', 'home', pushImage),
    route('POST', '/images/{name}/tag', 'all', tagImage),
    route('DELETE', '/images/{name}', 'all', removeImage),
    route('POST', '/build', 'placed', buildImage),
    route('POST', '/build/cancel', 'one', cancelBuild),
    route('POST', '/build/prune', 'all', pruneBuildCache),
    route('POST', '/commit', 'home', commitContainer),
    route('POST', '/containers/prune', 'all', pruneContainers),
    route('POST', '/images/prune', 'all', pruneImages),
    route('POST', '/networks/prune', 'all', pruneNetworks),
    route('POST', '/volumes/prune', 'all', pruneVolumes),
    route('GET', '/system/df', 'merged', diskUsage),

    route('GET', '/networks', 'merged', listNetworks),
    route('GET', '/networks/{id}', 'home', inspectNetwork),
    route('POST', '/networks/create', 'placed', createNetwork),
    route('POST', '/networks/{id}/connect', 'home', connectNetwork),
    route('POST', '/networks/{id}/disconnect', 'home', disconnectNetwork),
    route('DELETE', '/networks/{id}', 'home', removeNetwork),

    route('GET', '/volumes', 'merged', listVolumes),
    route('GET', '/volumes/{name}', 'home', inspectVolume),
    route('POST', '/volumes/create', 'all', createVolume),
    route('DELETE', '/volumes/{name}', 'all', removeVolume),
    route('PUT', '/volumes/{name}', 'refused', notSupported),

    route('GET', '/plugins/{name}/json', 'own', noPlugin),
    ...SWARM_MODE.map(([method, pattern]) => route(method, pattern, 'refused', notSupported)),
  ];
}

/** Swarm mode and plugins belong to one engine's own cluster or disk. */
const SWARM_MODE: readonly (readonly [string, string])[] = [
  ['GET', '/swarm'],
  ['POST', '/swarm/init'],
  ['POST', '/swarm/join'],
  ['POST', '/swarm/leave'],
  ['POST', '/swarm/update'],
  ['GET', '/swarm/unlockkey'],
  ['POST', '/swarm/unlock'],
  ['GET', '/nodes'],
  ['GET', '/nodes/{id}'],
  ['DELETE', '/nodes/{id}'],
  ['POST', '/nodes/{id}/update'],
  ['GET', '/services'],
  ['POST', '/services/create'],
  ['GET', '/services/{id}/logs'],
  ['GET', '/services/{id}'],
  ['DELETE', '/services/{id}'],
  ['POST', '/services/{id}/update'],
  ['GET', '/tasks'],
  ['GET', '/tasks/{id}/logs'],
  ['GET', '/tasks/{id}'],
  ['GET', '/secrets'],
  ['POST', '/secrets/create'],
  ['GET', '/secrets/{id}'],
  ['DELETE', '/secrets/{id}'],
  ['POST', '/secrets/{id}/update'],
  ['GET', '/configs'],
  ['POST', '/configs/create'],
  ['GET', '/configs/{id}'],
  ['DELETE', '/configs/{id}'],
  ['POST', '/configs/{id}/update'],
  ['GET', '/plugins'],
  ['GET', '/plugins/privileges'],
  ['POST', '/plugins/pull'],
  ['POST', '/plugins/create'],
  ['DELETE', '/plugins/{name}'],
  ['POST', '/plugins/{name}/enable'],
  ['POST', '/plugins/{name}/disable'],
  ['POST', '/plugins/{name}/upgrade'],
  ['POST', '/plugins/{name}/push'],
  ['POST', '/plugins/{name}/set'],
];
