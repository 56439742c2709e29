import { SwarmError } from '../../base/errors.ts';
import { isObject } from '../../base/json.ts';
import { queryInt, type ApiCall } from '../../docker-api/index.ts';
import {
  extractBuildArgExpressions,
  type ExtractedBuildArgs,
  type PreparedFilter,
} from '../../scheduler/index.ts';
import { coresToShares } from '../pool/container.ts';
import type { Context, Handler } from '../context.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { reachContainer } from '../containers/locate.ts';
import { pass } from '../pass.ts';
import type { Held } from '../containers/placer.ts';

const BUILDKIT = '2';

/**
 * `POST /build`: the scheduler chooses the engine, after the expressions among the build arguments and what the build
 * may take of a node. A BuildKit build goes to the engine that holds its session already.
 */
export const buildImage: Handler = async (call, context) => {
  const args = readBuildArgs(call.query);
  const cores = Math.max(0, queryInt(call.query, 'cpushares'));
  const builder = call.query.get('version') === BUILDKIT ? context.builds.builder() : undefined;
  const place = holdPlace(call, context, args, cores, builder);
  const { node } = place;
  try {
    await pass(call, node, '/build', { search: searchForEngine(call, args, cores, node) });
  } finally {
    place.release();
    node.inventory.mark('images');
  }
};

/** Undefined when there are none. Throws `invalid`. */
function readBuildArgs(query: URLSearchParams): ExtractedBuildArgs | undefined {
  const text = query.get('buildargs');
  if (text === null || text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SwarmError('invalid', 'error reading build args: not JSON', { cause });
  }
  if (value === null) return undefined;
  if (!isObject(value)) throw new SwarmError('invalid', 'error reading build args: expected an object');
  const args: Record<string, string | null> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== null && typeof item !== 'string') {
      throw new SwarmError('invalid', `error reading build args: ${key} must be a string`);
    }
    args[key] = item;
  }
  return extractBuildArgExpressions(args);
}

function holdPlace(
  call: ApiCall,
  { placer }: Context,
  args: ExtractedBuildArgs | undefined,
  cores: number,
  builder: EngineNode | undefined,
): Held {
  const share = { nanoCpus: cores * 1e9, memoryBytes: Math.max(0, queryInt(call.query, 'memory')) };
  const placement = {
    name: '',
    image: '',
    constraints: args?.constraints ?? [],
    affinities: args?.affinities ?? [],
    whitelists: args?.whitelists ?? [],
    ports: [],
    dependencies: [],
    ...share,
  };
  const facts = { name: '', image: '', imageId: '', labels: {}, ports: [], ...share };
  return placer.hold(placement, facts, builder ? [atBuilder(builder)] : []);
}

/** The session of a BuildKit build is open before its build is asked for; only its engine can do it. */
function atBuilder(builder: EngineNode): PreparedFilter {
  return {
    name: 'buildkit',
    conditions: [
      `BuildKit builds are done on ${builder.name} (DOCKER_BUILDKIT=0 builds where the constraints say)`,
    ],
    check: (place) => place === builder.sched,
    explain: () => 'its BuildKit does not have the session of this build',
  };
}

/** The query without the expressions, and with the engine's CpuShares in place of cores. */
function searchForEngine(
  call: ApiCall,
  args: ExtractedBuildArgs | undefined,
  cores: number,
  node: EngineNode,
): string {
  const query = new URLSearchParams(call.query);
  if (args) query.set('buildargs', JSON.stringify(args.buildArgs));
  if (cores > 0) query.set('cpushares', String(coresToShares(cores, node.cores)));
  return query.size > 0 ? `?${query.toString()}` : '';
}

/** `POST /build/cancel`: only BuildKit builds can be cancelled by name. */
export const cancelBuild: Handler = async (call, { builds }) => {
  await pass(call, builds.builder(), '/build/cancel');
};

/** `POST /commit`: the new image is where the container is. */
export const commitContainer: Handler = async (call, { pool }) => {
  const container = await reachContainer(pool, call.query.get('container') ?? '');
  const query = new URLSearchParams(call.query);
  query.set('container', container.id);
  try {
    await pass(call, container.node, '/commit', { search: `?${query.toString()}` });
  } finally {
    container.node.inventory.mark('images');
  }
};
