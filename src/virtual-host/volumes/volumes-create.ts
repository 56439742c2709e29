import { randomBytes } from 'node:crypto';
import { SwarmError, messageOf } from '../../base/errors.ts';
import { asString, asStringRecord, type Json } from '../../base/json.ts';
import { readJson, type ApiMinor } from '../../docker-api/index.ts';
import { createScheduler, extractExpressions, type SchedulerNode } from '../../scheduler/index.ts';
import { tellEngine } from '../pool/ask-engine.ts';
import type { Handler } from '../context.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { splitPlaced } from '../containers/locate.ts';
import type { Pool } from '../pool/pool.ts';
import { readVolume } from './volumes.ts';

const CREATE_TIMEOUT_MS = 60_000;
/** From API 1.42 on engines mark a volume whose name they made up, and prune those before others. */
const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';
const ANONYMOUS_FROM_MINOR: ApiMinor = 42;

/** `POST /volumes/create`: on the node that `node/name` asks for, else on every healthy node its labels allow. */
export const createVolume: Handler = async (call, { pool }) => {
  const body = (await readJson(call.req)) ?? {};
  if (body['ClusterVolumeSpec'] !== undefined) {
    throw new SwarmError('unsupported', 'Not supported in clustering mode.');
  }
  const asked = asString(body['Name']);
  const placed = splitPlaced(pool, asked);
  const nodes = placed ? [placed.node] : nodesFor(pool, body);
  if (placed && !placed.node.healthy) {
    throw new SwarmError('unavailable', `node ${placed.node.name} is not healthy`);
  }
  const name = (placed?.name ?? asked) || randomBytes(32).toString('hex');
  const tries = await Promise.allSettled(
    nodes.map((node) => createAt(node, name, body, asked === '', call.minor)),
  );
  for (const { inventory } of nodes) inventory.mark('volumes');
  const made = tries.flatMap((one, at) =>
    one.status === 'fulfilled' ? [{ node: nodes[at], volume: one.value }] : [],
  );
  const failed = tries.flatMap((one, at) =>
    one.status === 'rejected' ? [{ node: nodes[at]?.name ?? '', error: one.reason as unknown }] : [],
  );
  if (failed[0])
    throw partly(
      name,
      made.map(({ node }) => node?.name ?? ''),
      failed,
    );
  await pool.settle(nodes);
  const volume = made[0]?.volume ?? {};
  call.json(201, placed ? { ...volume, Name: asked } : volume);
};

/** The nodes on which the labels of a volume allow it, in the order of their names. Throws why there are none. */
function nodesFor(pool: Pool, body: Json): EngineNode[] {
  const { constraints, affinities, whitelists } = extractExpressions({
    env: [],
    labels: asStringRecord(body['Labels']),
  });
  const scheduler = createScheduler({
    strategy: 'spread',
    filters: ['health', 'affinity', 'constraint', 'whitelist'],
    random: Math.random,
  });
  const byPlace = new Map<SchedulerNode, EngineNode>();
  for (const node of pool.nodes()) if (node.info) byPlace.set(node.sched, node);
  const size = { nanoCpus: 0, memoryBytes: 0, ports: [] };
  const request = { name: '', image: '', dependencies: [], ...size, constraints, affinities, whitelists };
  const places = scheduler.order(byPlace.keys(), request);
  if (places.length === 0) {
    const placement = scheduler.place(byPlace.keys(), request);
    throw new SwarmError('internal', placement.ok ? 'the nodes have just changed' : placement.message);
  }
  const nodes = places.flatMap((place) => byPlace.get(place) ?? []);
  return nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function createAt(
  node: EngineNode,
  name: string,
  body: Json,
  anonymous: boolean,
  minor: ApiMinor,
): Promise<Json> {
  const mark = anonymous && (node.info?.apiMinor ?? 0) >= ANONYMOUS_FROM_MINOR;
  const Labels = { ...asStringRecord(body['Labels']), ...(mark ? { [ANONYMOUS_LABEL]: '' } : {}) };
  const json = { ...body, Name: name, Labels };
  const options = { method: 'POST', json, minor, timeoutMs: CREATE_TIMEOUT_MS };
  return readVolume(await tellEngine(node, '/volumes/create', options));
}

/** The error of what was not done everywhere: it names the nodes that have the volume now, and those that failed. */
function partly(
  name: string,
  made: readonly string[],
  failed: readonly { readonly node: string; readonly error: unknown }[],
): SwarmError {
  const [first] = failed;
  const code = first?.error instanceof SwarmError ? first.error.code : 'internal';
  const why = failed.map(({ node, error }) => `${node}: ${messageOf(error)}`).join('; ');
  return new SwarmError(
    code,
    made.length === 0 ? why : `volume ${name} was created on ${made.join(', ')}, but not on ${why}`,
  );
}
