import { SwarmError } from '../../base/errors.ts';
import { rotateJoinToken } from '../../ca/index.ts';
import { readJson } from '../../docker-api/index.ts';
import type { Cluster, NodeRole } from '../../model/index.ts';
import type { View } from '../../store/index.ts';
import type { Handler, Route } from '../context.ts';
import { queryBool, queryVersion } from '../query.ts';
import { outOfSequence } from '../rpc-error.ts';
import { readBodyAs } from '../shapes/shape.ts';
import { clusterSpec, noRotation } from './cluster-spec.ts';
import { swarmSpec } from './shapes.ts';
import { swarmJson } from './shown.ts';

/** `GET /swarm` */
const inspectSwarm: Handler = async (call, { store }) => {
  call.json(200, await swarmJson(clusterOf(store.view)));
};

/** `POST /swarm/update` */
const updateSwarm: Handler = async (call, { store }) => {
  const version = queryVersion(call.query, 'swarm');
  const rotated: NodeRole[] = [];
  if (queryBool(call.query, 'rotateWorkerToken')) rotated.push('worker');
  if (queryBool(call.query, 'rotateManagerToken')) rotated.push('manager');
  // There is no unlock key while autolock is off.
  queryBool(call.query, 'rotateManagerUnlockKey');
  const spec = clusterSpec(readBodyAs(swarmSpec, await readJson(call.req)));
  await store.update((tx) => {
    const cluster = clusterOf(tx);
    if (cluster.meta.version !== version) throw outOfSequence();
    if (spec.forceRotate !== cluster.spec.forceRotate) throw noRotation();
    tx.update('cluster', rotated.reduce(rotateJoinToken, { ...cluster, spec }));
  });
  call.empty(200);
};

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
