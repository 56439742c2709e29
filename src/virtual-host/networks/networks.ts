import { SwarmError } from '../../base/errors.ts';
import { eachLimited } from '../../base/async.ts';
import { asObject, asString, type Json } from '../../base/json.ts';
import { queryFilters, type ApiCall } from '../../docker-api/index.ts';
import type { Handler } from '../context.ts';
import { NETWORK_FILTERS, filterNetworks, networkEntries } from './networks-filter.ts';
import { withoutNotes } from './networks-labels.ts';
import type { PoolNetwork } from './networks-keeper.ts';
import {
  ambiguousNetwork,
  isLocal,
  isPredefined,
  isRemoteEndpoint,
  mergeEndpoints,
  networkNotFound,
  type NetworkMatch,
} from './networks-view.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { askSharing, tellSharing } from './store-trouble.ts';

/** From here on lists come without the containers on each network. */
const BARE_LISTS_FROM_MINOR = 28;
const INSPECTS_AT_ONCE = 16;

/** `GET /networks` */
export const listNetworks: Handler = async (call, { networks: keeper, pool }) => {
  const filters = queryFilters(call.query, NETWORK_FILTERS);
  await pool.settle();
  const all = keeper.all();
  const chosen = filterNetworks(all, filters, (network) => keeper.isUsed(network, true));
  const entries = networkEntries(chosen, all, filters);
  if (call.minor < BARE_LISTS_FROM_MINOR) await putContainersIn(call, chosen, entries);
  call.json(200, entries);
};

async function putContainersIn(
  call: ApiCall,
  networks: readonly PoolNetwork[],
  entries: Json[],
): Promise<void> {
  await eachLimited(networks.entries(), INSPECTS_AT_ONCE, async ([at, network]) => {
    entries[at] = { ...entries[at], Containers: await containersOn(call, network) };
  });
}

/** The containers on a network, of all nodes that share it; what a node does not tell is left out. */
export async function containersOn(call: ApiCall, { id, nodes }: PoolNetwork): Promise<Json> {
  const lists = await Promise.all(
    nodes.map(async (node): Promise<Json> => {
      if (!node.healthy) return {};
      try {
        const answer = await askSharing(node, `/networks/${id}`, { minor: call.minor, signal: call.signal });
        return answer.status === 200 ? asObject(parsed(answer.body)['Containers']) : {};
      } catch {
        return {};
      }
    }),
  );
  return mergeEndpoints(lists);
}

/** `GET /networks/{id}`: the engine's answer in its plain name; of a shared network with the containers of all nodes. */
export const inspectNetwork: Handler = async (call, { networks: keeper }) => {
  const reference = call.param('id');
  const scope = call.query.get('scope');
  const match = await keeper.find(reference);
  const fitting = match.networks.filter((network) => !scope || network.scope === scope);
  if (fitting.length === 0) throw networkNotFound(reference);
  const network = theOne(reference, { ...match, networks: fitting });
  const node = reachable(network);
  const answer = await tellSharing(node, `/networks/${network.id}${call.search}`, {
    knows: !isLocal(network),
    minor: call.minor,
    signal: call.signal,
  });
  const inspected = withoutNotes(parsed(answer.body));
  if (!isLocal(network)) {
    const endpoints = Object.entries(await containersOn(call, network));
    // Compose does not remove a network while something seems to be on it.
    const present = endpoints.filter(
      ([key, endpoint]) => !isRemoteEndpoint(key) || !keeper.isOver(asString(asObject(endpoint)['Name'])),
    );
    inspected['Containers'] = Object.fromEntries(present);
  }
  call.json(200, inspected);
};

/** The one network that a reference means. What every node has by itself stands for the first node's. */
export function theOne(reference: string, match: NetworkMatch<EngineNode>): PoolNetwork {
  const [first, ...others] = match.networks;
  if (!first) throw networkNotFound(reference);
  if (others.length === 0) return first;
  if (!isPredefined(first.name) || match.by === 'prefix') throw ambiguousNetwork(reference, match);
  const byNode = [...match.networks].sort((a, b) => (a.home.name < b.home.name ? -1 : 1));
  return byNode.find(({ home }) => home.healthy) ?? first;
}

/** A node that can be asked about the network. Throws `unavailable` when none answers. */
export function reachable(network: PoolNetwork): EngineNode {
  const node = network.nodes.find(({ healthy }) => healthy);
  if (node) return node;
  throw new SwarmError('unavailable', `network ${network.name} is on unhealthy node ${network.home.name}`);
}

export function parsed(body: Buffer): Json {
  return asObject(JSON.parse(body.toString('utf8')) as unknown);
}
