/** The door of control: what the routes of swarm mode do. */
import type { Route } from './context.ts';
import { dataRoutes } from './data/routes.ts';
import { networkRoutes } from './networks/routes.ts';
import { nodeRoutes } from './nodes/routes.ts';
import { serviceRoutes } from './services/routes.ts';
import { swarmRoutes } from './swarm/routes.ts';
import { taskRoutes } from './tasks/routes.ts';

export type { ControlContext, EnginePort, Handler, ManagersView, Route } from './context.ts';

export { diagnose, type Question } from './doctor/diagnose.ts';
export { diagnosisJson } from './doctor/json.ts';
export type { NodeBalancers } from './doctor/types.ts';
export { findOne } from './find.ts';
export { eventTest } from './info/event-test.ts';
export { infoWithoutEngine, mergedInfo, mergedVersion, type ManagerFacts } from './info/info.ts';
export { swarmEvent, type SwarmEvent } from './info/swarm-events.ts';
export type { Balancing, MeshKnowledge, TakenPort } from './mesh-knowledge.ts';
export { readJoinRequest, type SwarmJoinRequest } from './swarm/join-request.ts';
export { readInitRequest, type InitRequest } from './swarm/init-request.ts';

/** Every route of swarm mode that this manager answers by itself; all else is the engine's. */
export function controlRoutes(): Route[] {
  return [...swarmRoutes, ...nodeRoutes, ...serviceRoutes, ...taskRoutes, ...dataRoutes, ...networkRoutes];
}
