import { BlockList, isIPv6 } from 'node:net';
import { SwarmError, messageOf } from '../../base/errors.ts';
import { asArray, asObject, asString, type Json } from '../../base/json.ts';
import type { Context } from '../context.ts';
import { askEngine, tellEngine } from '../pool/ask-engine.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { noteLabels } from '../networks/networks-labels.ts';
import type { PoolNetwork } from '../networks/networks-keeper.ts';
import { isLocal, isOnNetwork } from '../networks/networks-view.ts';
import type { LostContainer, LostNetwork } from './lost-containers.ts';
import { endpointsIn, staticAddresses, withEndpoints, withoutAddresses } from './recipe.ts';

/**
 * Makes ready the networks of a container that is about to be made again: shared ones let go of what the lost node
 * left there, and a local one that was only on the lost node is made anew at `node`, from where it may move on. Gives
 * the body without the addresses that can't be had. Throws the engines' words.
 */
export async function followNetworks(context: Context, lost: LostContainer, node: EngineNode): Promise<Json> {
  const endpoints = endpointsIn(lost.body);
  for (const [name, endpoint] of Object.entries(endpoints)) {
    const network = await bringBack(context, lost, name, node);
    if (!network) continue;
    if (!isLocal(network)) await freeEndpoint(context, lost, network);
    const given = staticAddresses(endpoint);
    if (given.length === 0) continue;
    if (!lost.withoutAddresses && given.every((address) => isIn(network.entry, address))) continue;
    const said = { name: lost.container.name, network: name, addresses: given.join(', ') };
    context.config.log.warn(said, 'Container goes without the addresses that it had');
    endpoints[name] = withoutAddresses(endpoint);
  }
  return withEndpoints(lost.body, endpoints);
}

/** The network of this name that the container gets; undefined when no engine knows any. */
async function bringBack(
  context: Context,
  lost: LostContainer,
  name: string,
  node: EngineNode,
): Promise<PoolNetwork | undefined> {
  const { networks: keeper } = context;
  const named = (): PoolNetwork[] => keeper.all().filter((network) => network.name === name);
  const there = (): PoolNetwork | undefined =>
    named().find(({ nodes }) => nodes.some(({ healthy }) => healthy));
  const gone = lost.networks.find(({ network }) => network.name === name);
  if (!gone) return there();
  // Its other containers may be on their way too, and need it once.
  return keeper.exclusively(gone.network, async () => there() ?? (await makeAnew(context, lost, gone, node)));
}

/**
 * Makes a lost node's network again. Where all that used it moves, the new one is the old one in a new place, and hides
 * it; else the old one is still needed when the node is back.
 */
async function makeAnew(
  { networks: keeper, config }: Context,
  { nodeName }: LostContainer,
  { network: gone, stays }: LostNetwork,
  node: EngineNode,
): Promise<PoolNetwork> {
  const { name, id, formerIds, labels } = gone;
  const request = gone.request ?? requestOf(gone.entry);
  const notes = noteLabels({ request, formerIds: stays ? [] : [...formerIds, id] });
  const json = { ...request, Name: name, CheckDuplicate: true, Labels: { ...labels, ...notes } };
  const made = await tellEngine(node, '/networks/create', { method: 'POST', json });
  const newId = asString(asObject(JSON.parse(made.body.toString('utf8')) as unknown)['Id']);
  await keeper.added(node, newId);
  config.log.info({ network: name, from: nodeName, to: node.name }, "Made a lost node's network again");
  const found = keeper.all().find((network) => network.id === newId);
  if (!found) throw new SwarmError('unavailable', `network ${name} is gone again`);
  return found;
}

/** The body that would make this network, read from an engine's list. */
function requestOf(entry: Json): Json {
  const kept: Json = {};
  for (const key of ['Driver', 'EnableIPv6', 'IPAM', 'Internal', 'Attachable', 'Options']) {
    if (entry[key] !== undefined && entry[key] !== null) kept[key] = entry[key];
  }
  return kept;
}

/** What a lost node left on a shared network would keep the name and the address of the container taken. */
async function freeEndpoint({ config }: Context, lost: LostContainer, network: PoolNetwork): Promise<void> {
  const node = network.nodes.find(({ healthy }) => healthy);
  if (!node) return;
  const json = { Container: lost.container.name, Force: true };
  try {
    // Where there is nothing to free, the engine refuses.
    await askEngine(node, `/networks/${network.id}/disconnect`, { method: 'POST', json });
  } catch (error) {
    config.log.debug({ network: network.name, err: messageOf(error) }, 'Endpoint could not be freed');
  }
}

/** Whether an address is of one of the network's subnets. */
function isIn(network: Json, address: string): boolean {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  for (const config of asArray(asObject(network['IPAM'])['Config'])) {
    const [subnet = '', length = ''] = asString(asObject(config)['Subnet']).split('/');
    if (subnet !== '' && isIPv6(subnet) === (family === 'ipv6'))
      list.addSubnet(subnet, Number(length), family);
  }
  return list.check(address, family);
}

/**
 * Removes from a node that is back the networks that were made again elsewhere, where nothing uses them. What an engine
 * refuses stays, and stays hidden.
 */
export async function removeLeftNetworks(
  { networks: keeper, config }: Context,
  node: EngineNode,
): Promise<void> {
  const moved = keeper.all().filter(({ home, formerIds }) => home !== node && formerIds.length > 0);
  const left = new Set(moved.flatMap(({ formerIds }) => formerIds));
  const { inventory } = node;
  const all = [...inventory.containers.values(), ...inventory.replaced.values()];
  for (const entry of inventory.networks) {
    const [id, name] = [asString(entry['Id']), asString(entry['Name'])];
    if (!left.has(id) || all.some(({ summary }) => isOnNetwork(summary, { id, name }))) continue;
    const { status } = await askEngine(node, `/networks/${id}`, { method: 'DELETE' });
    if (status !== 204) continue;
    keeper.dropped([node], id);
    config.log.info({ network: name, node: node.name }, 'Removed a network that was made again elsewhere');
  }
}
