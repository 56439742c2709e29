import { SwarmError } from '../base/errors.ts';
import {
  asArray,
  asNumber,
  asObject,
  asString,
  asStringRecord,
  asStrings,
  isObject,
  type Json,
} from '../base/json.ts';
import {
  filterFlag,
  filtersText,
  matchesLabels,
  parseImageReference,
  parseMoment,
  pathPattern,
  queryFilters,
  queryFlag,
  type ApiCall,
  type ApiMinor,
  type Filters,
} from '../docker-api/index.ts';
import type { Context, Handler } from './context.ts';
import type { EngineNode } from './engine-node.ts';
import { locateImage } from './locate-image.ts';

/** Unknown filters are refused as engines do. */
const FILTERS = ['dangling', 'label', 'label!', 'reference', 'before', 'since', 'until', 'node'];
/** What the index does not hold; engines are asked for their whole lists then. */
const ENGINE_FLAGS = ['all', 'shared-size', 'manifests'];
const ASK_TIMEOUT_MS = 30_000;
const UNTAGGED = '<none>:<none>';

/** An image of the pool: one id, at one node or several. */
interface PoolImage {
  id: string;
  created: number;
  tags: string[];
  digests: string[];
  labels: Record<string, string>;
  /** The list entry of the first node that has it. */
  entry: Json;
  nodes: EngineNode[];
}

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

interface NodeList {
  node: EngineNode;
  images: readonly Json[];
}

function fromIndex(nodes: readonly EngineNode[]): NodeList[] {
  return nodes.map((node) => ({ node, images: node.inventory.images }));
}

/** The engines' own lists; one that fails or does not answer in time adds nothing. */
async function askWhole(nodes: readonly EngineNode[], flags: readonly string[]): Promise<NodeList[]> {
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

function mergeImages(lists: readonly NodeList[]): PoolImage[] {
  const byId = new Map<string, PoolImage>();
  for (const { node, images } of lists) {
    for (const entry of images) {
      const id = asString(entry['Id']);
      const tags = asStrings(entry['RepoTags']).filter((tag) => tag !== UNTAGGED);
      const digests = asStrings(entry['RepoDigests']).filter((digest) => digest !== '<none>@<none>');
      const known = byId.get(id);
      if (!known) {
        const created = asNumber(entry['Created']);
        const labels = asStringRecord(entry['Labels']);
        byId.set(id, { id, created, tags, digests, labels, entry, nodes: [node] });
        continue;
      }
      known.nodes.push(node);
      for (const tag of tags) if (!known.tags.includes(tag)) known.tags.push(tag);
      for (const digest of digests) if (!known.digests.includes(digest)) known.digests.push(digest);
    }
  }
  return [...byId.values()];
}

type Test = (image: PoolImage) => boolean;

function indexTests(filters: Filters): Test[] {
  const tests: Test[] = [];
  const dangling = filterFlag(filters, 'dangling');
  if (dangling !== undefined)
    tests.push(({ tags, digests }) => (tags.length + digests.length === 0) === dangling);
  const labels = filters.get('label') ?? [];
  if (labels.length > 0) tests.push((image) => matchesLabels(image.labels, labels));
  const unwanted = filters.get('label!') ?? [];
  if (unwanted.length > 0) tests.push((image) => !matchesLabels(image.labels, unwanted));
  const nowMs = Date.now();
  for (const text of filters.get('until') ?? []) {
    const untilMs = parseMoment(text, nowMs);
    tests.push((image) => image.created * 1000 < untilMs);
  }
  return tests;
}

/** `before` and `since` another image. */
async function relativeTests({ pool }: Context, filters: Filters): Promise<Test[]> {
  const tests: Test[] = [];
  for (const key of ['before', 'since'] as const) {
    const reference = filters.get(key)?.[0];
    if (reference === undefined) continue;
    const homes = await locateImage(pool, reference);
    const knowing = new Set(homes.map(({ node }) => node));
    const bound = homes[0];
    const listed = bound?.node.inventory.images.find((image) => image['Id'] === bound.id);
    const created = asNumber(listed?.['Created']);
    // Engines that have it compare to the nanosecond; the lists know whole seconds.
    const ids = await idsAt([...knowing], new Map([[key, [reference]]]));
    tests.push((image) => {
      if (image.nodes.some((node) => knowing.has(node))) return ids.has(image.id);
      return key === 'before' ? image.created < created : image.created > created;
    });
  }
  return tests;
}

async function idsAt(nodes: readonly EngineNode[], filters: Filters): Promise<Set<string>> {
  const search = `?all=1&filters=${encodeURIComponent(filtersText(filters))}`;
  const lists = await Promise.all(
    nodes.map(async (node) => {
      const answer = await node.client.json(node.path(`/images/json${search}`), {
        timeoutMs: ASK_TIMEOUT_MS,
      });
      return asArray(answer).map((entry) => asString(asObject(entry)['Id']));
    }),
  );
  return new Set(lists.flat());
}

/** The images with a name that matches, each with only the names that do, as Docker shows them. */
function narrowed(images: readonly PoolImage[], patterns: readonly string[]): PoolImage[] {
  const expressions = patterns.map((pattern) => {
    if (pattern === '') throw new SwarmError('invalid', "invalid filter 'reference='");
    return pathPattern(pattern);
  });
  const matches = (name: string): boolean => {
    const bare = parseImageReference(name).name;
    return expressions.some((expression) => expression.test(name) || expression.test(bare));
  };
  return images.flatMap((image) => {
    const tags = image.tags.filter(matches);
    const digests = image.digests.filter(matches);
    return tags.length + digests.length > 0 ? [{ ...image, tags, digests }] : [];
  });
}

/** Clients of different ages read entries of different forms. */
function eraOf(minor: ApiMinor): 'placeholders' | 'virtual-size' | 'plain' {
  if (minor < 43) return 'placeholders';
  return minor < 44 ? 'virtual-size' : 'plain';
}

function listEntry({ entry, tags, digests }: PoolImage, minor: ApiMinor): Json {
  const { VirtualSize, ...rest } = entry;
  const era = eraOf(minor);
  const sizes = era === 'plain' ? {} : { VirtualSize: VirtualSize ?? rest['Size'] };
  if (era !== 'placeholders') return { ...rest, ...sizes, RepoTags: tags, RepoDigests: digests };
  // Before 1.43 what has no name is called <none>, and CLIs of that time show nothing without it.
  const nameless = tags.length + digests.length === 0;
  return {
    ...rest,
    ...sizes,
    RepoTags: nameless ? [UNTAGGED] : tags.length > 0 ? tags : null,
    RepoDigests: nameless ? ['<none>@<none>'] : digests.length > 0 ? digests : null,
  };
}
