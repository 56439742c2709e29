import { SwarmError } from '../../base/errors.ts';
import { asString, type Json } from '../../base/json.ts';
import { readJson } from '../../docker-api/index.ts';
import { forward } from '../pool/ask-engine.ts';
import type { Container } from '../pool/container.ts';
import type { Handler } from '../context.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { locateContainer, reachContainer } from '../containers/locate.ts';
import { nodesSharing } from './network-plan.ts';
import { elsewhere, type NetworkKeeper, type PoolNetwork } from './networks-keeper.ts';
import { isLocal } from './networks-view.ts';
import { reachable, theOne } from './networks.ts';
import { tellSharing } from './store-trouble.ts';

const CONNECT_TIMEOUT_MS = 60_000;

/** `POST /networks/{id}/connect`: an unused network moves to the container's node. */
export const connectNetwork: Handler = async (call, { networks: keeper, pool }) => {
  const body = await bodyOf(call.req);
  const reference = call.param('id');
  const { networks } = await keeper.find(reference);
  const container = await reachContainer(pool, asString(body['Container']));
  const { node } = container;
  const network = keeper.pickFor(node, reference, networks);
  if (!isLocal(network) && !nodesSharing([network], pool.nodes()).includes(node))
    throw new SwarmError(
      'conflict',
      `network ${network.name} is shared by ${network.nodes.map(({ name }) => name).join(', ')}, and node ` +
        `${node.name} can't have it`,
    );
  const release = isLocal(network) ? claimFor(keeper, network, networks.length, node) : (): void => undefined;
  try {
    const { id } = isLocal(network) ? await keeper.bring(network, node) : network;
    const answer = await tellSharing(node, `/networks/${id}/connect`, {
      knows: !isLocal(network),
      method: 'POST',
      json: { ...body, Container: container.id },
      minor: call.minor,
      timeoutMs: CONNECT_TIMEOUT_MS,
    });
    // The claim holds until the index tells that the network is used.
    await reread(container);
    forward(call, answer);
  } finally {
    release();
  }
};

function claimFor(
  keeper: NetworkKeeper,
  network: PoolNetwork,
  candidates: number,
  node: EngineNode,
): () => void {
  const fixed = keeper.fixedAt(network);
  if (network.home !== node && (candidates > 1 || fixed))
    throw elsewhere(network, fixed ?? network.home, node);
  return keeper.claim(network, node);
}

/** `POST /networks/{id}/disconnect` */
export const disconnectNetwork: Handler = async (call, { networks: keeper, pool }) => {
  const body = await bodyOf(call.req);
  const reference = call.param('id');
  const match = await keeper.find(reference);
  const named = asString(body['Container']);
  const container = await locateContainer(pool, named).catch((error: unknown) => {
    // What is left of a container that is gone can be taken off by force.
    if (body['Force'] === true && error instanceof SwarmError && error.code === 'not-found') return undefined;
    throw error;
  });
  const network = container
    ? keeper.pickFor(container.node, reference, match.networks)
    : theOne(reference, match);
  const lost = container !== undefined && !container.node.healthy && !isLocal(network);
  // Engines know the endpoints of a node that is gone, by their names.
  const node = container && !lost ? container.node : reachable(network);
  const known = lost ? container.name : container?.id;
  const answer = await tellSharing(node, `/networks/${network.id}/disconnect`, {
    method: 'POST',
    json: { ...body, Container: known ?? named },
    minor: call.minor,
    timeoutMs: CONNECT_TIMEOUT_MS,
  });
  if (container && !lost) await reread(container);
  forward(call, answer);
};

async function bodyOf(req: Parameters<typeof readJson>[0]): Promise<Json> {
  const body = await readJson(req);
  if (!body) throw new SwarmError('invalid', 'invalid JSON: got EOF while reading request body');
  return body;
}

async function reread({ id, node }: Container): Promise<void> {
  node.inventory.markContainer(id);
  node.inventory.mark('networks');
  await node.inventory.settle();
}
