import { SwarmError } from '../../base/errors.ts';
import { planRootChange, rotateJoinToken } from '../../ca/index.ts';
import { readJson } from '../../docker-api/index.ts';
import type { Cluster, NodeRole, RootCa } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { Handler, Route } from '../context.ts';
import { queryBool, queryVersion } from '../query.ts';
import { outOfSequence, rpcError } from '../rpc-error.ts';
import { readBodyAs } from '../shapes/shape.ts';
import { clusterSpec } from './cluster-spec.ts';
import { swarmSpec, type SwarmSpecJson } from './shapes.ts';
import { swarmJson } from './shown.ts';

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
  // There is no unlock key while autolock is off.
  queryBool(call.query, 'rotateManagerUnlockKey');
  const wanted = readBodyAs(swarmSpec, await readJson(call.req));
  const spec = clusterSpec(wanted);
  const seen = clusterOf(store.view);
  if (seen.meta.version !== version) throw outOfSequence();
  const rootCa = await rootOf(seen, wanted, times.wallMs());
  await store.update((tx) => {
    const cluster = clusterOf(tx);
    if (cluster.meta.version !== version) throw outOfSequence();
    tx.update('cluster', rotated.reduce(rotateJoinToken, { ...cluster, spec, rootCa }));
  });
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

/** `GET /swarm/unlockkey`: nothing is locked, and the key is empty, as Docker's is then. */
const unlockKey: Handler = async (call) => {
  call.json(200, { UnlockKey: '' });
};

/** The swarm itself. To make, join, leave and unlock one is the daemon's. */
export const swarmRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/swarm', handler: inspectSwarm },
  { method: 'POST', pattern: '/swarm/update', handler: updateSwarm },
  { method: 'GET', pattern: '/swarm/unlockkey', handler: unlockKey },
];

function clusterOf(view: View): Cluster {
  const cluster = view.cluster();
  if (cluster) return cluster;
  throw new SwarmError('no-manager', 'This node is not a swarm manager.');
}
