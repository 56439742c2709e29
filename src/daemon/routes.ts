import { canEncrypt } from '../balancer/index.ts';
import { messageOf } from '../base/errors.ts';
import { controlRoutes, type ControlContext, type ManagersView } from '../control/index.ts';
import type { ApiCall } from '../docker-api/index.ts';
import type { BesideHandler, DaemonContext, DaemonHandler, ManagerHandler } from './daemon-context.ts';
import { collectedLogs } from './collected-logs.ts';
import { networkDoctor, workersDoctor } from './doctor-route.ts';
import { events } from './events-route.ts';
import { swarmLogs } from './followed-logs.ts';
import { infoLocked, notLocked, pingLocked, unlockSwarm } from './locked-routes.ts';
import { initSwarm, joinAgain, joinSwarm, leaveAsWorker, leaveSwarm } from './swarm-routes.ts';
import type { ManagedSwarm } from './managed-swarm.ts';
import { info, infoWithWarnings, ping, version } from './system-routes.ts';

/** A route that this daemon answers: always, or only while this host manages a swarm (`managed`) or while it does not. */
export interface DaemonRoute {
  readonly method: string;
  readonly pattern: string;
  /** While this host is in no swarm; undefined is the engine's. */
  readonly plain?: DaemonHandler;
  /** The same, where an answer of the engine's may need an addition. */
  readonly beside?: BesideHandler;
  /** While the swarm that this host manages is locked; where nothing is said, what is the swarm's is refused. */
  readonly locked?: DaemonHandler;
  /** Whether the manager that leads answers, whichever was asked. */
  readonly atLeader?: (call: ApiCall) => boolean;
  /** While this host manages a swarm. */
  readonly managed: ManagerHandler;
}

/** Every route that is not the engine's alone; routes that stand first win. */
export function daemonRoutes(): DaemonRoute[] {
  const own = controlRoutes().map(({ method, pattern, at, handler }): DaemonRoute => ({
    method,
    pattern,
    atLeader: (call) =>
      at === undefined ? method !== 'GET' : (typeof at === 'string' ? at : at(call)) === 'leader',
    managed: (call, context, swarm) => handler(call, controlContext(context, swarm)),
  }));
  return [
    { method: 'GET', pattern: '/_ping', locked: pingLocked, managed: ping },
    { method: 'HEAD', pattern: '/_ping', locked: pingLocked, managed: ping },
    { method: 'GET', pattern: '/version', managed: version },
    { method: 'GET', pattern: '/info', beside: infoWithWarnings, locked: infoLocked, managed: info },
    { method: 'GET', pattern: '/events', managed: events },
    { method: 'POST', pattern: '/swarm/init', plain: initSwarm, managed: initSwarm },
    { method: 'POST', pattern: '/swarm/join', plain: joinSwarm, managed: joinAgain },
    { method: 'POST', pattern: '/swarm/leave', plain: leaveAsWorker, managed: leaveSwarm },
    { method: 'POST', pattern: '/swarm/unlock', locked: unlockSwarm, managed: notLocked },
    {
      method: 'GET',
      pattern: '/swarm/network-doctor',
      plain: workersDoctor,
      atLeader: () => true,
      managed: networkDoctor,
    },
    { method: 'POST', pattern: '/swarm/logs', atLeader: () => true, managed: collectedLogs },
    ...own,
  ];
}

function controlContext(context: DaemonContext, swarm: ManagedSwarm): ControlContext {
  const { engine, times, log } = context;
  const { store, local, plainNodes } = swarm;
  return {
    ...{ store, times, log, engine, canEncrypt },
    nodeId: local.nodeId,
    managers: managersView(context, swarm),
    logs: swarmLogs(context),
    ...(plainNodes ? { mesh: plainNodes } : {}),
  };
}

function managersView({ atLeader }: DaemonContext, swarm: ManagedSwarm): ManagersView {
  const { manager, state, store } = swarm;
  return {
    leaderId: manager.leader?.id,
    isThere: (nodeId) => state.isThere(nodeId),
    whyNoManager: async (nodeId) => manager.leading?.whyNoManager(nodeId),
    whyKept: async (nodeId) => {
      const node = store.view.get('node', nodeId);
      return node && state.keeping.release(node).then(() => undefined, messageOf);
    },
    ...(manager.leading ? {} : { leader: (request, signal) => atLeader.json(swarm, request, signal) }),
  };
}
