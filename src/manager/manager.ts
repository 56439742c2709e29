import { runAllocator } from '../allocator/index.ts';
import {
  createCaServices,
  issueManagerCertificate,
  OneTimeTokens,
  runKeyRotation,
  runManagerRenewal,
  runRootRotation,
} from '../ca/index.ts';
import { createDispatcher, type LogSubscriber } from '../dispatcher/index.ts';
import { createEndpoints, type Endpoints } from '../endpoints/index.ts';
import {
  runConstraintEnforcer,
  runJobs,
  runOrchestrator,
  runPlacing,
  runReaper,
} from '../orchestrator/index.ts';
import { SwarmError } from '../base/errors.ts';
import type { LoopContext } from '../store/index.ts';
import { startSwarmPort, type SwarmCredentials } from '../swarmkit/index.ts';
import { runLoops } from './loops.ts';
import { ManagerList } from './manager-list.ts';

export interface ManagerOptions {
  /** The node that this host is; its row is there and has the role manager. */
  readonly nodeId: string;
  /** Where agents are listened to. */
  readonly listen: { readonly host: string; readonly port: number };
}

/** A manager that runs: the swarm's port, and the loops behind it. */
export interface Manager {
  /** The port that agents come to, as it was bound. */
  readonly port: number;
  readonly logs: LogSubscriber;
  /** Who answers for which service, and what the nodes' balancers say. */
  readonly endpoints: Endpoints;
  /** A token with which this host's engine becomes this host's node, once. */
  engineToken(): string;
  /** Ends within seconds; the port is free then. */
  close(): Promise<void>;
}

/** How long calls under way may take to end. */
const CLOSE_GRACE_MS = 1_000;

/** Starts a manager over a store that has a cluster. Rejects with the error of `listen` where the port is taken. */
export async function startManager(context: LoopContext, options: ManagerOptions): Promise<Manager> {
  const { store, times, log } = context;
  const { nodeId, listen } = options;
  const cluster = store.view.cluster();
  if (!cluster) throw new SwarmError('no-manager', 'there is no swarm in this state');
  const oneTime = new OneTimeTokens();
  const ca = createCaServices(context, oneTime);
  const managers = new ManagerList(store, () => dispatcher.managersChanged());
  const endpoints = createEndpoints(context);
  const dispatcher = createDispatcher(context, {
    managerId: nodeId,
    managers: () => managers.all,
    stopGate: endpoints,
  });
  const credentials = await issueManagerCertificate(cluster, nodeId, times.wallMs());
  const isManager = (id: string): boolean => store.view.get('node', id)?.role === 'manager';
  const port = await startSwarmPort({ listen, credentials, isManager, log });
  port.serve((router) => {
    ca.routes(router);
    dispatcher.routes(router);
    endpoints.routes(router);
  });
  const onRenewed = (next: SwarmCredentials): void => port.setCredentials(next);
  const stop = new AbortController();
  const running = runLoops(
    context,
    {
      endpoints: (signal) => endpoints.run(signal),
      dispatcher: (signal) => dispatcher.run(signal),
      allocator: (signal) => runAllocator(context, signal),
      placing: (signal) => runPlacing(context, signal),
      orchestrator: (signal) => runOrchestrator(context, signal),
      jobs: (signal) => runJobs(context, signal),
      constraints: (signal) => runConstraintEnforcer(context, signal),
      reaper: (signal) => runReaper(context, signal),
      keys: (signal) => runKeyRotation(context, signal),
      rootRotation: (signal) => runRootRotation(context, signal),
      certificate: (signal) =>
        runManagerRenewal(context, { nodeId, current: credentials, onRenewed }, signal),
    },
    stop.signal,
  );
  return {
    port: port.port,
    logs: dispatcher.logs,
    endpoints,
    engineToken: () => oneTime.make(store.view.cluster()?.rootCa.certPem ?? cluster.rootCa.certPem, nodeId),
    async close() {
      stop.abort(new Error('the manager stops'));
      await port.close(CLOSE_GRACE_MS);
      await running;
      ca.close();
      managers.close();
    },
  };
}
