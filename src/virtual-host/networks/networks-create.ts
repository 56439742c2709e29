import { SwarmError } from '../../base/errors.ts';
import { asObject, asString, asStringRecord, type Json } from '../../base/json.ts';
import { readJson } from '../../docker-api/index.ts';
import { extractExpressions, type PlacementRequest, type PreparedFilter } from '../../scheduler/index.ts';
import { forward } from '../pool/ask-engine.ts';
import type { Context, Handler } from '../context.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { splitPlaced } from '../containers/locate.ts';
import { noteLabels, publicLabels } from './networks-labels.ts';
import { chooseDriver, type DriverNode } from './networks-driver.ts';
import type { NetworkKeeper } from './networks-keeper.ts';
import { groupOf, isPredefined } from './networks-view.ts';
import { parsed } from './networks.ts';
import { tellSharing } from './store-trouble.ts';

const CREATE_TIMEOUT_MS = 60_000;

/** `POST /networks/create`: on the node that `node/name` asks for, else on the scheduler's choice. */
export const createNetwork: Handler = async (call, context) => {
  const { networks: keeper, pool } = context;
  const body = await readJson(call.req);
  if (!body) throw new SwarmError('invalid', 'invalid JSON: got EOF while reading request body');
  const placed = splitPlaced(pool, asString(body['Name']));
  const name = placed?.name ?? asString(body['Name']);
  await pool.settle();
  const release = keeper.holdName(name, placed?.node);
  try {
    if (!isPredefined(name)) refuseTaken(context, name, placed?.node);
    const wishes = readWishes(body);
    const driver = driverOf(body, placed ? [placed.node] : pool.healthy());
    const labels = publicLabels(asStringRecord(body['Labels']));
    const node = placed?.node ?? chooseNode(context, wishes, driver.nodes, labels);
    if (!node.healthy) throw new SwarmError('unavailable', `node ${node.name} is not healthy`);
    const request: Json = { ...body, ...driver.body };
    for (const key of ['Labels', 'Name', 'CheckDuplicate']) delete request[key];
    const free = !placed && !wishes.any && driver.body['Driver'] !== 'overlay' && body['ConfigOnly'] !== true;
    const notes = noteLabels({ request: free ? request : undefined, formerIds: [] });
    const json = { ...request, Name: name, CheckDuplicate: true, Labels: { ...labels, ...notes } };
    const answer = await tellSharing(node, '/networks/create', {
      method: 'POST',
      json,
      minor: call.minor,
      timeoutMs: CREATE_TIMEOUT_MS,
    });
    await keeper.added(node, asString(parsed(answer.body)['Id']));
    forward(call, answer);
  } finally {
    release();
  }
};

/** Throws Docker's `conflict` when the name is taken: on any node, or on the one asked for. */
function refuseTaken({ networks: keeper }: Context, name: string, node: EngineNode | undefined): void {
  const taken = keeper
    .all()
    .some((network) => network.name === name && (!node || network.nodes.includes(node)));
  if (taken) throw new SwarmError('conflict', `network with name ${name} already exists`);
}

interface Wishes extends Pick<PlacementRequest, 'constraints' | 'affinities' | 'whitelists'> {
  /** Where its labels say where it is to be, it stays where it was put. */
  readonly any: boolean;
}

function readWishes(body: Json): Wishes {
  const { constraints, affinities, whitelists } = extractExpressions({
    env: [],
    labels: asStringRecord(body['Labels']),
  });
  return {
    constraints,
    affinities,
    whitelists,
    any: constraints.length + affinities.length + whitelists.length > 0,
  };
}

function driverOf(body: Json, nodes: readonly EngineNode[]): { body: Json; nodes: readonly EngineNode[] } {
  // A network that only holds settings for others has no driver.
  if (body['ConfigOnly'] === true) return { body: {}, nodes };
  const able = new Map(nodes.map((node): [DriverNode, EngineNode] => [describe(node), node]));
  const choice = chooseDriver(asString(body['Driver']), [...able.keys()]);
  const chosen = choice.nodes.flatMap((node) => able.get(node) ?? []);
  return { body: { Driver: choice.driver }, nodes: chosen };
}

function describe(node: EngineNode): DriverNode {
  const swarm = asObject(node.info?.raw['Swarm']);
  return {
    hasStore: (node.info?.clusterStore ?? '') !== '',
    managesSwarm: swarm['ControlAvailable'] === true,
  };
}

function chooseNode(
  { placer, networks: keeper }: Context,
  wishes: Wishes,
  nodes: readonly EngineNode[],
  labels: Readonly<Record<string, string>>,
): EngineNode {
  const places = new Set(nodes.map((node) => node.sched));
  const able: PreparedFilter = {
    name: 'network',
    conditions: ['an engine that can have this network'],
    check: (place) => places.has(place),
    explain: () => 'can not have a network of this driver',
  };
  const size = { nanoCpus: 0, memoryBytes: 0, ports: [] };
  const held = placer.hold(
    { name: '', image: '', dependencies: [], ...size, ...wishes },
    { name: '', image: '', imageId: '', labels: {}, ...size },
    [able, ...(wishes.any ? [] : nearOthers(keeper, labels))],
  );
  held.release();
  return held.node;
}

/** A wish to be where the other networks of its group are. */
function nearOthers(keeper: NetworkKeeper, labels: Readonly<Record<string, string>>): PreparedFilter[] {
  const group = groupOf({ labels, root: '' });
  const first = keeper.all().find((network) => network.request && groupOf(network) === group);
  if (!first) return [];
  const { node } = keeper.bestFor(first);
  const text = 'not with the other networks of its project';
  return [
    {
      name: 'network',
      conditions: [],
      soft: true,
      check: (place) => place === node.sched,
      explain: () => text,
    },
  ];
}
