import { asArray, isObject } from '../../base/json.ts';
import { queryFilters, queryFlag, type ApiCall, type Filters } from '../../docker-api/index.ts';
import type { Context, Handler } from '../context.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { indexTests, narrowed, relativeTests } from './image-filter.ts';
import { eraOf, listEntry, mergeImages, type NodeImages, type PoolImage } from './pool-image.ts';

/** Unknown filters are refused as engines do. */
const FILTERS = ['dangling', 'label', 'label!', 'reference', 'before', 'since', 'until', 'node'];
/** What the index does not hold; engines are asked for their whole lists then. */
const ENGINE_FLAGS = ['all', 'shared-size', 'manifests'];
const ASK_TIMEOUT_MS = 30_000;

/** `GET /images/json`: one entry for every image id. */
export function createImageList(): Handler {
  const kept = new Map<string, { version: string; body: Buffer }>();
  return async (call, context) => {
    const { pool } = context;
    await pool.settle();
    const plain = call.search === '' || call.search === '?all=0';
    const version = `${pool.version}/${pool.nodes().reduce((sum, node) => sum + node.inventory.version, 0)}`;
    const era = eraOf(call.minor);
    const former = plain ? kept.get(era) : undefined;
    if (former?.version === version) {
      call.body(200, 'application/json', former.body);
      return;
    }
    const images = await select(call, context);
    const body = Buffer.from(JSON.stringify(images.map((image) => listEntry(image, call.minor))));
    if (plain) kept.set(era, { version, body });
    call.body(200, 'application/json', body);
  };
}

async function select(call: ApiCall, context: Context): Promise<PoolImage[]> {
  const { query } = call;
  const filters = queryFilters(query, FILTERS);
  const nodes = nodesAsked(context, filters);
  const patterns = [...(filters.get('reference') ?? [])];
  // Before 1.41 the name was an argument of its own.
  const named = query.get('filter');
  if (named !== null && named !== '' && call.minor < 41) patterns.push(named);
  const flags = ENGINE_FLAGS.filter((name) => queryFlag(query, name));
  const merged = mergeImages(flags.length > 0 ? await askWhole(nodes, flags) : fromIndex(nodes));
  // The index reads images when images change, so what it has of their containers may be old.
  if (flags.length === 0) for (const image of merged) image.containers = -1;
  const tests = [...indexTests(filters), ...(await relativeTests(context, filters))];
  const chosen = merged.filter((image) => tests.every((test) => test(image)));
  const shown = patterns.length > 0 ? narrowed(chosen, patterns) : chosen;
  return shown.sort((a, b) => b.created - a.created);
}

function nodesAsked({ pool }: Context, filters: Filters): EngineNode[] {
  const wanted = filters.get('node') ?? [];
  const healthy = pool.healthy();
  return wanted.length === 0
    ? healthy
    : healthy.filter((node) => wanted.includes(node.name) || wanted.includes(node.id));
}

function fromIndex(nodes: readonly EngineNode[]): NodeImages[] {
  return nodes.map((node) => ({ node, images: node.inventory.images }));
}

/** The engines' own lists; one that fails or does not answer in time adds nothing. */
async function askWhole(nodes: readonly EngineNode[], flags: readonly string[]): Promise<NodeImages[]> {
  const search = `?${flags.map((name) => `${name}=1`).join('&')}`;
  return Promise.all(
    nodes.map(async (node) => {
      try {
        const answer = await node.client.json(node.path(`/images/json${search}`), {
          timeoutMs: ASK_TIMEOUT_MS,
        });
        return { node, images: asArray(answer).filter(isObject) };
      } catch {
        node.suspect();
        return { node, images: [] };
      }
    }),
  );
}
