import { canEncrypt } from '../balancer/index.ts';
import { controlRoutes, type ControlContext } from '../control/index.ts';
import type { BesideHandler, DaemonContext, DaemonHandler, ManagerHandler } from './daemon-context.ts';
import { networkDoctor, workersDoctor } from './doctor-route.ts';
import { events } from './events-route.ts';
import { initSwarm, joinAgain, joinSwarm, leaveAsWorker, leaveSwarm, unlockSwarm } from './swarm-routes.ts';
import type { ManagedSwarm } from './swarm-life.ts';
import { info, infoWithWarnings, ping, version } from './system-routes.ts';

/** A route that this daemon answers: always, or only while this host manages a swarm (`managed`) or while it does not. */
export interface DaemonRoute {
  readonly method: string;
  readonly pattern: string;
  /** While this host is in no swarm; undefined is the engine's. */
  readonly plain?: DaemonHandler;
  /** The same, where an answer of the engine's may need an addition. */
  readonly beside?: BesideHandler;
  /** While this host manages a swarm. */
  readonly managed: ManagerHandler;
}

/** Every route that is not the engine's alone; routes that stand first win. */
export function daemonRoutes(): DaemonRoute[] {
  const own = controlRoutes().map(({ method, pattern, handler }): DaemonRoute => ({
    method,
    pattern,
    managed: (call, context, swarm) => handler(call, controlContext(context, swarm)),
  }));
  return [
    { method: 'GET', pattern: '/_ping', managed: ping },
    { method: 'HEAD', pattern: '/_ping', managed: ping },
    { method: 'GET', pattern: '/version', managed: version },
    { method: 'GET', pattern: '/info', beside: infoWithWarnings, managed: info },
    { method: 'GET', pattern: '/events', managed: events },
    { method: 'POST', pattern: '/swarm/init', plain: initSwarm, managed: initSwarm },
    { method: 'POST', pattern: '/swarm/join', plain: joinSwarm, managed: joinAgain },
    { method: 'POST', pattern: '/swarm/leave', plain: leaveAsWorker, managed: leaveSwarm },
    { method: 'POST', pattern: '/swarm/unlock', managed: unlockSwarm },
    { method: 'GET', pattern: '/swarm/network-doctor', plain: workersDoctor, managed: networkDoctor },
    ...own,
  ];
}

function controlContext({ engine, times, log }: DaemonContext, swarm: ManagedSwarm): ControlContext {
  const { store, local, manager, plainNodes } = swarm;
  const { nodeId } = local;
  return { store, times, log, nodeId, engine, logs: manager.logs, mesh: plainNodes, canEncrypt };
}
