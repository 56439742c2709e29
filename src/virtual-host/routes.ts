import type { Handler } from './context.ts';
import { createContainerList } from './container-list.ts';
import {
  changeContainer,
  copyFromContainer,
  createExec,
  inspectContainer,
  passToContainer,
  passToExec,
  removeContainer,
  renameContainer,
  updateContainer,
} from './containers.ts';
import { createContainer } from './create.ts';
import { events } from './events.ts';
import { createInfo } from './info.ts';
import { notSupported, passToAny, passToBuilder, ping, version } from './system.ts';

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
    route('POST', '/containers/{name}/start', 'home', changeContainer),
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
  ['GET', '/plugins/{name}/json'],
  ['DELETE', '/plugins/{name}'],
  ['POST', '/plugins/{name}/enable'],
  ['POST', '/plugins/{name}/disable'],
  ['POST', '/plugins/{name}/upgrade'],
  ['POST', '/plugins/{name}/push'],
  ['POST', '/plugins/{name}/set'],
];
