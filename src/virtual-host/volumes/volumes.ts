import { SwarmError } from '../../base/errors.ts';
import { asObject } from '../../base/json.ts';
import { engineRefusal, type EngineAnswer } from '../../engine/index.ts';
import { queryFilters, queryFlag, type ApiCall } from '../../docker-api/index.ts';
import { askEngine, forward } from '../pool/ask-engine.ts';
import type { Handler } from '../context.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { splitPlaced } from '../containers/locate.ts';
import type { Pool } from '../pool/pool.ts';
import {
  VOLUME_FILTERS,
  collectVolumes,
  filterVolumes,
  mountsVolume,
  noSuchVolume,
  volumeEntries,
  type ClusterVolume,
} from './volumes-view.ts';

const LOOKUP_TIMEOUT_MS = 2_000;
const REMOVE_TIMEOUT_MS = 60_000;

function volumesOf(pool: Pool): ClusterVolume<EngineNode>[] {
  return collectVolumes(pool.nodes().map((node) => ({ node, volumes: node.inventory.volumes })));
}

function isMounted(node: EngineNode, name: string): boolean {
  for (const { summary } of node.inventory.containers.values()) if (mountsVolume(summary, name)) return true;
  return false;
}

/** `GET /volumes` */
export const listVolumes: Handler = async (call, { pool }) => {
  const filters = queryFilters(call.query, VOLUME_FILTERS);
  await pool.settle();
  const all = volumesOf(pool);
  const chosen = filterVolumes(all, filters, ({ nodes, name }) =>
    nodes.some((node) => isMounted(node, name)),
  );
  const warnings = pool
    .nodes()
    .flatMap((node) => node.inventory.volumeWarnings.map((warning) => `${node.name}: ${warning}`));
  call.json(200, {
    Volumes: volumeEntries(chosen, all, filters),
    Warnings: warnings.length > 0 ? warnings : null,
  });
};

/** `GET /volumes/{name}`: of several nodes, the first one's by name. */
export const inspectVolume: Handler = async (call, { pool }) => {
  const reference = call.param('name');
  const { name, nodes } = await locateVolume(pool, reference);
  const node = [...nodes].sort(byName).find(({ healthy }) => healthy);
  if (!node) throw nobodyHealthy(reference, nodes);
  const answer = await askEngine(node, volumePath(name), { minor: call.minor, signal: call.signal });
  if (answer.status === 404) throw new SwarmError('not-found', noSuchVolume(reference));
  if (answer.status !== 200) throw engineRefusal(answer);
  forward(call, answer);
};

/** `DELETE /volumes/{name}`: on the node named, else on every node that has it; on none when one of them uses it. */
export const removeVolume: Handler = async (call, { pool }) => {
  const reference = call.param('name');
  const force = queryFlag(call.query, 'force');
  const { name, nodes } = await locateVolume(pool, reference).catch((error: unknown) => {
    if (force && error instanceof SwarmError && error.code === 'not-found')
      return { name: reference, nodes: [] };
    throw error;
  });
  const sick = nodes.filter(({ healthy }) => !healthy);
  const asked = nodes.filter(({ healthy }) => healthy);
  if (nodes.length > 0 && asked.length === 0) throw nobodyHealthy(reference, nodes);
  // Where it is in use the engine refuses; to ask there first leaves the others as they are. A container made a moment
  // ago is in the index without its mounts.
  await pool.settle(asked);
  const busy = asked.filter((node) => isMounted(node, name));
  const idle = asked.filter((node) => !busy.includes(node));
  const first = await removeAt(call, name, busy);
  refuse(first, nodes.length);
  refuse([...first, ...(await removeAt(call, name, idle))], nodes.length);
  if (sick.length > 0) throw nobodyHealthy(reference, sick);
  call.empty(204);
};

interface Removal {
  readonly node: EngineNode;
  readonly answer: EngineAnswer;
}

async function removeAt(call: ApiCall, name: string, nodes: readonly EngineNode[]): Promise<Removal[]> {
  return Promise.all(
    nodes.map(async (node) => {
      const path = volumePath(name) + call.search;
      const answer = await askEngine(node, path, {
        method: 'DELETE',
        minor: call.minor,
        timeoutMs: REMOVE_TIMEOUT_MS,
      });
      const { inventory } = node;
      if (answer.status === 204 || answer.status === 404) {
        inventory.volumes = inventory.volumes.filter((entry) => entry['Name'] !== name);
        inventory.version += 1;
      }
      inventory.mark('volumes');
      return { node, answer };
    }),
  );
}

/** Throws the first refusal, with its node where there are several. One that is gone already is as good as removed. */
function refuse(removals: readonly Removal[], nodes: number): void {
  const failed = removals.find(({ answer }) => answer.status !== 204 && answer.status !== 404);
  if (!failed) return;
  const error = engineRefusal(failed.answer);
  throw nodes > 1 ? new SwarmError(error.code, `${failed.node.name}: ${error.message}`) : error;
}

/** Where the volume of a name or `node/name` is; engines are asked for what the index lacks. Throws `not-found`. */
async function locateVolume(pool: Pool, reference: string): Promise<{ name: string; nodes: EngineNode[] }> {
  const known = inIndex(pool, reference);
  if (known) return known;
  await pool.settle();
  const settled = inIndex(pool, reference);
  if (settled) return settled;
  const placed = splitPlaced(pool, reference);
  const asked = (placed ? [placed.node] : pool.healthy()).filter((node) => node.healthy);
  const name = placed?.name ?? reference;
  const having = await Promise.all(
    asked.map(async (node) => {
      try {
        const answer = await node.client.call(node.path(volumePath(name)), { timeoutMs: LOOKUP_TIMEOUT_MS });
        return answer.status === 200 ? [node] : [];
      } catch {
        // An engine that does not answer can't say that it has it; its own loop deals with it.
        return [];
      }
    }),
  );
  const nodes = having.flat();
  for (const { inventory } of nodes) inventory.mark('volumes');
  if (nodes.length === 0) throw new SwarmError('not-found', noSuchVolume(reference));
  return { name, nodes };
}

function inIndex(pool: Pool, reference: string): { name: string; nodes: EngineNode[] } | undefined {
  const volumes = volumesOf(pool);
  const having = (name: string): EngineNode[] =>
    volumes.flatMap((volume) => (volume.name === name ? volume.nodes : []));
  const named = having(reference);
  if (named.length > 0) return { name: reference, nodes: named };
  const placed = splitPlaced(pool, reference);
  if (!placed || !having(placed.name).includes(placed.node)) return undefined;
  return { name: placed.name, nodes: [placed.node] };
}

function nobodyHealthy(reference: string, nodes: readonly EngineNode[]): SwarmError {
  const where = nodes.map(({ name }) => name).join(', ');
  return new SwarmError('unavailable', `volume ${reference} is on unhealthy node ${where}`);
}

function byName(a: EngineNode, b: EngineNode): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function volumePath(name: string): string {
  return `/volumes/${encodeURIComponent(name)}`;
}

export function readVolume(answer: EngineAnswer): Record<string, unknown> {
  return asObject(JSON.parse(answer.body.toString('utf8')) as unknown);
}
