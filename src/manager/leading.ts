import type { ConnectRouter } from '@connectrpc/connect';
import { SwarmError } from '../base/errors.ts';
import { runAllocator } from '../allocator/index.ts';
import { createCaServices, OneTimeTokens, runKeyRotation, runRootRotation } from '../ca/index.ts';
import { createDispatcher, type IsSilent, type LogSubscriber } from '../dispatcher/index.ts';
import { createEndpoints, type Endpoints } from '../endpoints/index.ts';
import {
  runConstraintEnforcer,
  runJobs,
  runOrchestrator,
  runPlacing,
  runReaper,
} from '../orchestrator/index.ts';
import { isWitness, managersAmong, type Node } from '../model/index.ts';
import { runSealing, type LoopContext } from '../store/index.ts';
import { runLoops } from './loops.ts';
import { runManagerAddresses, type ShownManagers } from './manager-addresses.ts';
import { ManagerList } from './manager-list.ts';
import { createManagersService, type ManagersOptions, type WorkerHost } from './managers-service.ts';
import { runRoles } from './roles.ts';
import { showWitness } from './witness-label.ts';

/** What the manager that leads does, for one term. */
export interface Leading {
  readonly logs: LogSubscriber;
  /** Who answers for which service, and what the nodes' balancers say. */
  readonly endpoints: Endpoints;
  /** The services on the swarm's port. */
  readonly routes: (router: ConnectRouter) => void;
  /** A token with which the engine of a manager's host becomes its node, once. */
  engineToken(nodeId: string): string;
  /** Why a node can't be made a manager, in words for the user; undefined where it can. */
  whyNoManager(nodeId: string): Promise<string | undefined>;
  /** Resolves when everything has ended, after the signal has fired. */
  close(): Promise<void>;
}

/** What of the store's own affairs follows from who manages. */
export interface StoreKeeping extends Pick<ManagersOptions, 'admit' | 'objection'> {
  /** Takes what a manager keeps of the store away from it, before it is none any more. Rejects where that can't be now. */
  readonly release: (node: Node) => Promise<void>;
  /** What the manager that leads does for the store, until the signal fires. */
  readonly care: (swarm: CaredSwarm, signal: AbortSignal) => Promise<void>;
}

/** What follows of the swarm for its store, and back. */
export interface CaredSwarm {
  isManager(nodeId: string): boolean;
  isNode(nodeId: string): boolean;
  /** How many managers it has. */
  readonly managers: number;
  /** Hosts of workers whose swarmd is heard of, who came first first. */
  readonly hosts: readonly WorkerHost[];
  /** The node that is shown as the witness. */
  readonly witness: string | undefined;
  /** Has that node be the witness, and no other. */
  wishWitness(nodeId: string | undefined): void;
  /** Has that node, and no other, be shown as the witness. */
  showWitness(nodeId: string | undefined): Promise<void>;
}

export interface LeadingParts {
  readonly nodeId: string;
  readonly keeping: StoreKeeping;
  readonly there: ShownManagers;
  /** Whether nothing answers at a node's host; without it all nodes have their whole grace. */
  readonly isSilent?: IsSilent;
}

/** Begins to lead: the store can be written from now until the signal fires. Throws `no-manager` for an empty state. */
export function beginLeading(
  context: LoopContext,
  { nodeId, keeping, isSilent, there }: LeadingParts,
  signal: AbortSignal,
): Leading {
  const { store } = context;
  const root = (): string => {
    const cluster = store.view.cluster();
    if (!cluster) throw new SwarmError('no-manager', 'there is no swarm in this state');
    return cluster.rootCa.certPem;
  };
  root();
  const oneTime = new OneTimeTokens();
  const engineToken = (id: string): string => oneTime.make(root(), id);
  const ca = createCaServices(context, oneTime);
  const managers = new ManagerList(store, () => dispatcher.managersChanged());
  const endpoints = createEndpoints(context);
  const dispatcher = createDispatcher(context, {
    managerId: nodeId,
    managers: () => managers.all,
    stopGate: endpoints,
    ...(isSilent ? { isSilent } : {}),
  });
  const service = createManagersService(context, {
    engineToken,
    admit: keeping.admit,
    objection: keeping.objection,
  });
  const cared: CaredSwarm = {
    isManager: (id) => store.view.get('node', id)?.role === 'manager',
    isNode: (id) => store.view.get('node', id) !== undefined,
    get managers() {
      return managersAmong(store.view.all('node'));
    },
    get hosts() {
      return service.hosts;
    },
    get witness() {
      return [...store.view.all('node')].find(isWitness)?.id;
    },
    wishWitness: (id) => service.wishWitness(id),
    showWitness: (id) => showWitness(store, id),
  };
  const running = runLoops(
    context,
    {
      endpoints: (ended) => endpoints.run(ended),
      dispatcher: (ended) => dispatcher.run(ended),
      allocator: (ended) => runAllocator(context, ended),
      placing: (ended) => runPlacing(context, ended),
      orchestrator: (ended) => runOrchestrator(context, ended),
      jobs: (ended) => runJobs(context, ended),
      constraints: (ended) => runConstraintEnforcer(context, ended),
      reaper: (ended) => runReaper(context, ended),
      keys: (ended) => runKeyRotation(context, ended),
      rootRotation: (ended) => runRootRotation(context, ended),
      sealing: (ended) => runSealing(context, ended),
      addresses: (ended) => runManagerAddresses(context, there, ended),
      roles: (ended) => runRoles(context, keeping.release, ended),
      store: (ended) => untilAborted(keeping.care(cared, ended), ended),
    },
    signal,
  );
  return {
    logs: dispatcher.logs,
    endpoints,
    engineToken,
    whyNoManager: (id) => service.whyNoManager(id),
    routes: (router) => {
      ca.routes(router);
      dispatcher.routes(router);
      endpoints.routes(router);
      service.routes(router);
    },
    async close() {
      await running;
      ca.close();
      managers.close();
      service.close();
    },
  };
}

/** A store that needs no care is no loop that ended. */
async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  await work;
  if (!signal.aborted)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
