import { SwarmError, messageOf } from '../../base/errors.ts';
import { asObject, asString, type Json } from '../../base/json.ts';
import type { PreparedFilter } from '../../scheduler/index.ts';
import type { Context } from '../context.ts';
import { readCreateRequest, type CreateRequest } from '../containers/create-request.ts';
import { makeContainer } from '../containers/create.ts';
import { askEngine, tellEngine } from '../pool/ask-engine.ts';
import type { Container } from '../pool/container.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import type { Leadership } from '../replication/leadership.ts';
import { fetchImage } from './fetch-image.ts';
import { followNetworks } from './follow-networks.ts';
import type { LostContainer } from './lost-containers.ts';
import { endpointsIn, withOneNetwork } from './recipe.ts';

/** The oldest version of all engines, which has one network in a create. */
const MINOR = 41;
const START_TIMEOUT_MS = 120_000;
const CONNECT_TIMEOUT_MS = 60_000;
const REMOVE_TIMEOUT_MS = 30_000;

/** What one try works with. */
export interface Trying {
  readonly leadership: Leadership;
  readonly signal: AbortSignal;
  /** Whether the container is still lost: its node may come back at any moment. */
  readonly isLost: () => boolean;
}

/** Why a try ends early: its node is back, or somebody else goes on with it. */
class Ended extends SwarmError {
  readonly byOthers: boolean;

  constructor(byOthers: boolean) {
    super('conflict', byOthers ? 'this manager does not make it again any more' : 'its node is back');
    this.byOthers = byOthers;
  }
}

/**
 * Makes a lost container again on another node, connects it, and starts it if it was running: completely or not at all.
 * A copy of it that is there already, made by another manager, is completed. Gives the copy.
 * Throws what stood in the way.
 */
export async function makeAgain(context: Context, lost: LostContainer, trying: Trying): Promise<Container> {
  const { copies } = context.pool.index;
  const former = copies.counting(lost.container);
  const isThere = former && former.id !== lost.container.id && !former.node.lost;
  const copy = isThere ? former : await create(context, lost, trying);
  try {
    demand(trying);
    await connect(context, copy, endpointsIn(lost.body), trying);
    if (lost.running && copy.state === 'created') await start(copy, trying);
  } catch (error) {
    // Who leads now finds it, and completes it.
    if (!(error instanceof Ended && error.byOthers)) await takeBack(context, copy, lost);
    throw error;
  }
  copies.replace(lost.container.id);
  return copy;
}

function demand({ isLost, leadership, signal }: Trying): void {
  if (signal.aborted || !leadership.leads()) throw new Ended(true);
  if (!isLost()) throw new Ended(false);
}

async function create(context: Context, lost: LostContainer, trying: Trying): Promise<Container> {
  const { pool, registryAuths } = context;
  const { leadership, signal } = trying;
  // The networks of the lost node must be somewhere before anything can be on them.
  const room = findRoom(context, lost);
  demand(trying);
  const request = requestFor(lost, await followNetworks(context, lost, room));
  demand(trying);
  const answer = await makeContainer(context, request, {
    path: (node) => {
      const name = request.name === '' ? '' : `?name=${encodeURIComponent(request.name)}`;
      return node.path('/containers/create', MINOR) + name;
    },
    headers: {},
    minor: MINOR,
    signal,
    leadership,
    filters: [elsewhere(context, lost)],
    adapt: withOneNetwork,
    fetchImage: (node) =>
      fetchImage(context, node, {
        image: request.placement.image,
        auth: registryAuths.get(lost.swarmId),
        signal,
      }),
  });
  const id = asString(asObject(JSON.parse(answer.body.toString('utf8')) as unknown)['Id']);
  const made = pool.nodes().flatMap(({ inventory }) => inventory.known(id) ?? [])[0];
  if (!made) throw new SwarmError('unavailable', 'the node of its copy has left the pool');
  return made;
}

/** A node that could take it, as far as networks do not decide. Throws the scheduler's words when there is none. */
export function findRoom(context: Context, lost: LostContainer): EngineNode {
  const { placement, facts } = requestFor(lost, lost.body);
  const held = context.placer.hold(placement, facts, [elsewhere(context, lost)]);
  held.release();
  return held.node;
}

function requestFor(lost: LostContainer, body: Json): CreateRequest {
  const { container } = lost;
  return { ...readCreateRequest(container.name, body), replaces: container };
}

/** Not the lost node, whatever filters were chosen, and not those that could not start it. */
function elsewhere({ pool }: Context, lost: LostContainer): PreparedFilter {
  const places = new Set(
    pool.nodes().flatMap((node) => {
      const refused = !node.healthy || node.id === lost.engineId || lost.refusers.has(node);
      return refused ? [node.sched] : [];
    }),
  );
  return {
    name: 'reschedule',
    conditions: [`not ${lost.nodeName}`],
    check: (place) => !places.has(place),
    explain: () => 'it is lost, or could not start this container',
  };
}

async function connect(
  { networks: keeper, pool }: Context,
  copy: Container,
  endpoints: Record<string, Json>,
  trying: Trying,
): Promise<void> {
  const { node } = copy;
  const { body } = await tellEngine(node, `/containers/${copy.id}/json`, { signal: trying.signal });
  const inspected = asObject(JSON.parse(body.toString('utf8')) as unknown);
  const there = asObject(asObject(inspected['NetworkSettings'])['Networks']);
  for (const [name, EndpointConfig] of Object.entries(endpoints)) {
    if (Object.hasOwn(there, name)) continue;
    demand(trying);
    const { networks } = await keeper.find(name);
    const { id } = keeper.pickFor(node, name, networks);
    await tellEngine(node, `/networks/${id}/connect`, {
      method: 'POST',
      json: { Container: copy.id, EndpointConfig },
      minor: MINOR,
      timeoutMs: CONNECT_TIMEOUT_MS,
    });
    node.inventory.markContainer(copy.id);
  }
  await pool.settle([node]);
}

async function start({ id, node }: Container, trying: Trying): Promise<void> {
  demand(trying);
  await tellEngine(node, `/containers/${id}/start`, { method: 'POST', timeoutMs: START_TIMEOUT_MS }).catch(
    (error: unknown) => {
      if (!(error instanceof SwarmError) || error.code !== 'not-modified') throw error;
    },
  );
  node.inventory.started(id);
}

/** Removes an incomplete copy. Where its engine does not answer, it is removed as soon as it does. */
async function takeBack({ config, pool }: Context, copy: Container, lost: LostContainer): Promise<void> {
  const { id, node } = copy;
  pool.index.copies.replace(id);
  node.inventory.markContainer(id);
  lost.refusers.add(node);
  try {
    const path = `/containers/${id}?force=1&v=1`;
    const { status } = await askEngine(node, path, { method: 'DELETE', timeoutMs: REMOVE_TIMEOUT_MS });
    if (status === 204 || status === 404) node.inventory.remove(id);
  } catch (error) {
    config.log.debug({ id, node: node.name, err: messageOf(error) }, 'Incomplete copy could not be removed');
  }
}

/** Tells of what the container had on its old node and does not find on the new one. */
export function warnOfData({ config }: Context, lost: LostContainer): void {
  const { data, nodeName } = lost;
  if (data.length === 0) return;
  const { name } = lost.container;
  config.log.warn(
    { name, node: nodeName, data },
    'Data stays on the lost node: the container begins without it',
  );
}
