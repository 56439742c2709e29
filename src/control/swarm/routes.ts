import { SwarmError } from '../../base/errors.ts';
import { planRootChange, rotateJoinToken } from '../../ca/index.ts';
import { readJson, type ApiCall } from '../../docker-api/index.ts';
import type { Cluster, NodeRole, RootCa } from '../../model/index.ts';
import type { Store, View } from '../../store/index.ts';
import type { Handler, Route } from '../context.ts';
import { queryBool, queryVersion } from '../query.ts';
import { outOfSequence, rpcError } from '../rpc-error.ts';
import { readBodyAs } from '../shapes/shape.ts';
import { clusterSpec } from './cluster-spec.ts';
import { swarmSpec, type SwarmSpecJson } from './shapes.ts';
import { swarmJson } from './shown.ts';

/** A key that is in force is told, though rows may still be plain then. */
const SEALED_MS = 30_000;
const OPEN_MS = 60_000;

/** `GET /swarm` */
const inspectSwarm: Handler = async (call, { store }) => {
  call.json(200, await swarmJson(clusterOf(store.view)));
};

/** `POST /swarm/update` */
const updateSwarm: Handler = async (call, { store, times }) => {
  const version = queryVersion(call.query, 'swarm');
  const rotated: NodeRole[] = [];
  if (queryBool(call.query, 'rotateWorkerToken')) rotated.push('worker');
  if (queryBool(call.query, 'rotateManagerToken')) rotated.push('manager');
  const renew = queryBool(call.query, 'rotateManagerUnlockKey');
  const wanted = readBodyAs(swarmSpec, await readJson(call.req));
  const spec = clusterSpec(wanted);
  const seen = clusterOf(store.view);
  if (seen.meta.version !== version) throw outOfSequence();
  const rootCa = await rootOf(seen, wanted, times.wallMs());
  await store.update((tx) => {
    const cluster = clusterOf(tx);
    if (cluster.meta.version !== version) throw outOfSequence();
    tx.update('cluster', rotated.reduce(rotateJoinToken, { ...cluster, spec, rootCa }));
    store.lock.follow(tx, { on: spec.autoLockManagers, renew });
  });
  // Whoever is told that there is no lock any more throws its key away.
  if (!spec.autoLockManagers) await untilOpen(call, store);
  call.empty(200);
};

/** The root that a client asks for, in most cases the one that is there. */
async function rootOf({ rootCa }: Cluster, { ca }: SwarmSpecJson, nowMs: number): Promise<RootCa> {
  const { signingCert: certPem, signingKey: keyPem, forceRotate } = ca;
  try {
    return await planRootChange(rootCa, { certPem, keyPem, forceRotate }, nowMs);
  } catch (error) {
    if (error instanceof SwarmError && error.code === 'invalid')
      throw rpcError('InvalidArgument', error.message);
    throw error;
  }
}

/** `GET /swarm/unlockkey`: '' while nothing is locked, as Docker's is. A key that is owed is made by this. */
const unlockKey: Handler = async (call, { store }) => {
  const UnlockKey = await store.lock.unlockKey();
  await settled(call, store, SEALED_MS);
  call.json(200, { UnlockKey });
};

async function untilOpen(call: ApiCall, store: Store): Promise<void> {
  if (await settled(call, store, OPEN_MS)) return;
  throw new SwarmError(
    'timeout',
    'autolock is being turned off, which takes a while: until `docker swarm unlock-key` finds none, a manager that restarts needs its unlock key',
  );
}

async function settled({ signal }: ApiCall, { lock }: Store, mostMs: number): Promise<boolean> {
  if (!lock.isSettled) await lock.settled(AbortSignal.any([signal, AbortSignal.timeout(mostMs)]));
  return lock.isSettled;
}

/** The swarm itself. To make, join, leave and unlock one is the daemon's. */
export const swarmRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/swarm', handler: inspectSwarm },
  { method: 'POST', pattern: '/swarm/update', handler: updateSwarm },
  // A key that is owed is made where the state is written.
  { method: 'GET', pattern: '/swarm/unlockkey', at: 'leader', handler: unlockKey },
];

function clusterOf(view: View): Cluster {
  const cluster = view.cluster();
  if (cluster) return cluster;
  throw new SwarmError('no-manager', 'This node is not a swarm manager.');
}
