import { SwarmError } from '../../base/errors.ts';
import { asArray, asObject, asString } from '../../base/json.ts';
import {
  FilterTests,
  filtersText,
  matchesLabels,
  queryFilters,
  queryFlag,
  queryInt,
  type ApiCall,
  type Filters,
} from '../../docker-api/index.ts';
import type { Container } from '../pool/container.ts';
import type { Context } from '../context.ts';
import { locateContainer } from './locate.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { textSearch } from '../../scheduler/index.ts';

/** What the index can tell of; the other filters of the Engine API are asked of the engines. */
const OWN_FILTERS = [
  'id',
  'name',
  'label',
  'status',
  'exited',
  'before',
  'since',
  'network',
  'health',
  'node',
];
const ENGINE_FILTERS = ['ancestor', 'publish', 'expose', 'isolation', 'volume', 'is-task'];
const STATES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const HEALTHS = ['none', 'starting', 'healthy', 'unhealthy'];
const ASK_TIMEOUT_MS = 30_000;

/** The list without arguments that nearly everybody asks for, kept until it is not true any more. */
interface KeptList {
  indexVersion: number;
  poolVersion: number;
  untilMs: number;
  body: Buffer;
}

/** The image of the manager and its agents, which `ps` hides without `-a`. */
const HIDDEN_IMAGE = /^(docker\.io\/)?(library\/)?swarm(:[\w.-]+|@sha256:[0-9a-f]{64})?$/;

/** `GET /containers/json` from the index: running ones, or as the query says. */
export function createContainerList(): (call: ApiCall, context: Context) => Promise<void> {
  const kept = new Map<string, KeptList>();
  return async (call, context) => {
    await context.pool.settle();
    const { index } = context.pool;
    const plain = call.search === '' || call.search === '?all=1' || call.search === '?limit=0';
    const nowMs = Date.now();
    const former = plain ? kept.get(call.search) : undefined;
    const poolVersion = context.pool.version;
    if (
      former &&
      former.indexVersion === index.version &&
      former.poolVersion === poolVersion &&
      nowMs < former.untilMs
    ) {
      call.body(200, 'application/json', former.body);
      return;
    }
    if (queryFlag(call.query, 'size')) {
      await listWithSizes(call, context, nowMs);
      return;
    }
    const { body, untilMs } = listBody(await select(call, context), nowMs);
    if (plain) kept.set(call.search, { indexVersion: index.version, poolVersion, untilMs, body });
    call.body(200, 'application/json', body);
  };
}

function listBody(containers: readonly Container[], nowMs: number): { body: Buffer; untilMs: number } {
  let untilMs = Infinity;
  const entries = containers.map((container) => {
    const entry = container.listEntry(nowMs);
    if (entry.untilMs < untilMs) untilMs = entry.untilMs;
    return entry.text;
  });
  return { body: Buffer.from(`[${entries.join(',')}]`), untilMs };
}

/** The containers a query asks for, newest first. */
async function select(call: ApiCall, context: Context): Promise<readonly Container[]> {
  const { query } = call;
  const filters = queryFilters(query, [...OWN_FILTERS, ...ENGINE_FILTERS]);
  const limit = queryInt(query, 'limit');
  const [before, since] = [query.get('before'), query.get('since')];
  const all = queryFlag(query, 'all') || limit > 0 || before !== null || since !== null;
  await refresh(nodesToRefresh(context, filters));
  const tests = ownTests(filters, all);
  const matching = await askEngines(context, filters);
  if (matching) tests.add((container) => matching.has(container.id));
  for (const reference of [before, ...(filters.get('before') ?? [])]) {
    if (!reference) continue;
    const bound = await locateContainer(context.pool, reference);
    tests.add((container) => container !== bound && container.created <= bound.created);
  }
  for (const reference of [since, ...(filters.get('since') ?? [])]) {
    if (!reference) continue;
    const bound = await locateContainer(context.pool, reference);
    tests.add((container) => container !== bound && container.created >= bound.created);
  }
  const every = context.pool.index.newestFirst();
  const chosen = tests.choose(every);
  return limit > 0 ? chosen.slice(0, limit) : chosen;
}

type Test = (container: Container) => boolean;

function ownTests(filters: Filters, all: boolean): FilterTests<Container> {
  const tests = new FilterTests<Container>(filters);
  const status = filters.get('status');
  for (const word of status ?? []) {
    if (!STATES.includes(word)) throw new SwarmError('invalid', `invalid filter 'status=${word}'`);
  }
  if (!all && !status) {
    tests.add(
      ({ state, node }) =>
        node.healthy && (state === 'running' || state === 'paused' || state === 'restarting'),
    );
  }
  if (!all) tests.add((container) => !HIDDEN_IMAGE.test(container.image));
  tests.on('status', (values) => (container) => values.includes(container.state));
  tests.on('id', (values) => (container) => values.some((value) => container.id.startsWith(value)));
  tests.on('name', (values) => nameTest(values));
  tests.on('label', (values) => (container) => matchesLabels(container.labels, values));
  tests.on(
    'node',
    (values) =>
      ({ node }) =>
        values.some((value) => value === node.name || value === node.id),
  );
  tests.on('health', (values) => {
    for (const word of values) {
      if (!HEALTHS.includes(word)) throw new SwarmError('invalid', `invalid filter 'health=${word}'`);
    }
    return ({ details }) => values.includes(details.run.health || 'none');
  });
  tests.on('network', (values) => networkTest(values));
  tests.on('exited', (values) => {
    const codes = values.map((value) => {
      if (!/^-?\d+$/.test(value)) throw new SwarmError('invalid', `invalid filter 'exited=${value}'`);
      return Number(value);
    });
    return ({ state, details }) => state === 'exited' && codes.includes(details.run.exitCode);
  });
  return tests;
}

/** Engines search the name with and without its slash; what names a node is searched for in `node/name`. */
function nameTest(values: readonly string[]): Test {
  const searches = values.map((value) => ({
    matches: textSearch(value),
    withNode: value.replace(/^\^?\/?/, '').includes('/'),
  }));
  return ({ name, node }) =>
    searches.some(({ matches, withNode }) => {
      const whole = withNode ? `${node.name}/${name}` : name;
      return matches(whole) || matches(`/${whole}`);
    });
}

function networkTest(values: readonly string[]): Test {
  return ({ summary, node }) => {
    const networks = asObject(asObject(summary['NetworkSettings'])['Networks']);
    return Object.entries(networks).some(([name, entry]) => {
      const id = asString(asObject(entry)['NetworkID']);
      return values.some(
        (value) =>
          value === name || value === `${node.name}/${name}` || (value.length > 0 && id.startsWith(value)),
      );
    });
  };
}

/** What `--refresh-on-node-filter` and `--container-name-refresh-filter` have read anew before such a list. */
function nodesToRefresh({ config, pool }: Context, filters: Filters): readonly EngineNode[] {
  const named = config.containerNameRefreshFilter;
  if (named !== '' && filters.get('name')?.includes(named)) return pool.healthy();
  if (!config.refreshOnNodeFilter) return [];
  const nodes = (filters.get('node') ?? []).flatMap((name) => pool.node(name) ?? []);
  return nodes.filter(({ healthy }) => healthy);
}

async function refresh(nodes: readonly EngineNode[]): Promise<void> {
  if (nodes.length === 0) return;
  const signal = AbortSignal.timeout(ASK_TIMEOUT_MS);
  await Promise.all(nodes.map((node) => node.inventory.load(signal).catch(() => node.suspect())));
}

/** The ids that match what only engines can tell; undefined when nothing of the kind is asked for. */
async function askEngines(context: Context, filters: Filters): Promise<Set<string> | undefined> {
  const asked = new Map([...filters].filter(([key]) => ENGINE_FILTERS.includes(key)));
  if (asked.size === 0) return undefined;
  const lists = await fromEach(context.pool.healthy(), (node) => {
    const own = new Map(asked);
    const volumes = own.get('volume');
    if (volumes)
      own.set(
        'volume',
        volumes.map((name) => withoutNode(node, name)),
      );
    return `?all=1&filters=${encodeURIComponent(filtersText(own))}`;
  });
  return new Set(lists.flatMap((list) => list.map((entry) => asString(asObject(entry)['Id']))));
}

function withoutNode(node: EngineNode, name: string): string {
  return name.startsWith(`${node.name}/`) ? name.slice(node.name.length + 1) : name;
}

/** Every engine's list; one that fails or does not answer in time adds nothing. Throws when all of them refuse. */
async function fromEach(
  nodes: readonly EngineNode[],
  search: (node: EngineNode) => string,
): Promise<(readonly unknown[])[]> {
  let refusal: SwarmError | undefined;
  let answers = 0;
  const lists = await Promise.all(
    nodes.map(async (node) => {
      try {
        const path = node.path(`/containers/json${search(node)}`);
        const list = asArray(await node.client.json(path, { timeoutMs: ASK_TIMEOUT_MS }));
        answers += 1;
        return list;
      } catch (error) {
        if (!(error instanceof SwarmError)) throw error;
        if (error.code === 'unavailable' || error.code === 'timeout') node.suspect();
        else refusal = error;
        return [];
      }
    }),
  );
  if (refusal && answers === 0) throw refusal;
  return lists;
}

async function listWithSizes(call: ApiCall, context: Context, nowMs: number): Promise<void> {
  const chosen = await select(call, context);
  const nodes = [...new Set(chosen.map((container) => container.node))].filter((node) => node.healthy);
  const sizes = new Map<string, Record<string, unknown>>();
  for (const list of await fromEach(nodes, () => '?all=1&size=1')) {
    for (const entry of list) sizes.set(asString(asObject(entry)['Id']), asObject(entry));
  }
  const answer = chosen.map((container) => {
    const { SizeRw, SizeRootFs } = sizes.get(container.id) ?? {};
    return { ...container.listObject(nowMs), SizeRw, SizeRootFs };
  });
  call.json(200, answer);
}
