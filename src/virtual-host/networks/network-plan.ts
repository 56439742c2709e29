import { SwarmError } from '../../base/errors.ts';
import { asObject, asString, type Json } from '../../base/json.ts';
import type { PlacementRequest, PreparedFilter } from '../../scheduler/index.ts';
import type { Context } from '../context.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import type { NetworkKeeper, PoolNetwork } from './networks-keeper.ts';
import { networkReferences, renameNetworks } from './networks-body.ts';
import { commonNodes, networkFilters, type NetworkRule } from './networks-rules.ts';
import { isLocal } from './networks-view.ts';

/** What a container's networks ask of its placement, and how the chosen node gets ready for them. */
export interface NetworkPlan {
  /** As things are at this moment: read it, choose the node and call `bind` without a pause in between. */
  readonly filters: readonly PreparedFilter[];
  /**
   * Claims the networks for the node, before anything else can happen, then moves there what has to move. Resolves
   * with the body in the names that the engine knows. Throws PlanOutdated when the node must be chosen again.
   */
  bind(node: EngineNode, body: Json): Promise<Json>;
  /** Ends the claims of `bind`, when the container is in the index or is not to be. */
  release(): void;
}

const NOTHING: NetworkPlan = {
  filters: [],
  bind: (_node, body) => Promise.resolve(body),
  release: () => undefined,
};

/**
 * Reads which networks a container is to be on. What no engine knows is left to the engine that gets the container.
 * `image` leaves the nodes with the container's image, if not all have it.
 * Throws `conflict` for networks that no node has together.
 */
export async function planNetworks(
  { networks: keeper, pool, placer }: Pick<Context, 'networks' | 'pool' | 'placer'>,
  request: { readonly body: Json; readonly placement: PlacementRequest },
  image?: PreparedFilter,
): Promise<NetworkPlan> {
  const references = networkReferences(request.body);
  if (references.length === 0) return NOTHING;
  const meant = new Map<string, readonly PoolNetwork[]>();
  for (const reference of references) {
    // An engine makes a container whose network does not exist, and refuses to start it; to refuse it here with 404
    // would have the docker CLI pull the image and try again.
    const match = await keeper.find(reference, 'optional');
    if (match) meant.set(reference, match.networks);
  }
  if (meant.size === 0) return NOTHING;

  const { affinities, constraints, whitelists } = request.placement;
  const wishes =
    image !== undefined || [...affinities, ...constraints, ...whitelists].some(({ soft }) => soft);
  const rules = (): NetworkRule<EngineNode>[] =>
    [...meant].map(([reference, candidates]) => ruleOf(keeper, pool.nodes(), reference, candidates));
  const clash = commonNodes(rules());
  if (typeof clash === 'string') throw new SwarmError('conflict', clash);
  const free = [...meant.values()].flat().find((network) => isLocal(network) && !keeper.fixedAt(network));
  if (free && !keeper.bestFor(free).decided && rules().every(({ kind }) => kind === 'anywhere')) {
    const fitting = placer.countFitting(request.placement, image ? [image] : []);
    const waitMs = patienceMs(fitting, pool.healthy().length);
    if (waitMs > 0) await keeper.claimed(free, waitMs);
  }

  let releases: (() => void)[] = [];
  const release = (): void => {
    for (const one of releases) one();
    releases = [];
  };
  return {
    get filters() {
      return networkFilters(rules(), (node) => node.sched, { prefer: !wishes });
    },
    async bind(node, body) {
      release();
      const chosen = [...meant].map(([reference, candidates]) => {
        const network = keeper.pickFor(node, reference, candidates);
        if (isLocal(network)) releases.push(keeper.claim(network, node));
        return { reference, network };
      });
      const known = new Map<string, { name: string; id: string }>();
      for (const { reference, network } of chosen) {
        known.set(reference, isLocal(network) ? await keeper.bring(network, node) : network);
      }
      return renameNetworks(body, known);
    },
    release,
  };
}

/**
 * How long a container waits for others to decide where an unused network goes. Compose makes all the containers of
 * a project at once, and the one that can be on one node only must come before those that can be anywhere.
 */
function patienceMs(fitting: number, healthy: number): number {
  if (fitting <= 1) return 0;
  return fitting < healthy ? SOME_CHOICE_MS : ALL_CHOICE_MS;
}

const SOME_CHOICE_MS = 150;
const ALL_CHOICE_MS = 300;

/** Where one reference lets the container go. */
function ruleOf(
  keeper: NetworkKeeper,
  nodes: readonly EngineNode[],
  reference: string,
  candidates: readonly PoolNetwork[],
): NetworkRule<EngineNode> {
  const present = candidates.flatMap((candidate) => keeper.current(candidate) ?? []);
  const [only] = present;
  const name = only?.name ?? reference;
  if (only && present.length === 1 && isLocal(only)) {
    const fixed = keeper.fixedAt(only);
    return fixed
      ? { kind: 'only', name, nodes: [fixed] }
      : { kind: 'anywhere', name, home: keeper.bestFor(only).node };
  }
  return { kind: 'only', name, nodes: nodesSharing(present, nodes) };
}

/** The nodes that have one of these networks, or will have it as soon as they need it. */
export function nodesSharing(networks: readonly PoolNetwork[], nodes: readonly EngineNode[]): EngineNode[] {
  const having = networks.flatMap((network) => network.nodes);
  if (networks.every(isLocal)) return having;
  // An engine that shares networks learns of a new one on its own; until it has, its store stands for it.
  const stores = new Set(having.flatMap((node) => node.info?.clusterStore || []));
  const inSwarm = networks.some(({ scope }) => scope === 'swarm');
  const sharing = nodes.filter(
    (node) => stores.has(node.info?.clusterStore ?? '') || (inSwarm && isSwarmMember(node)),
  );
  return [...new Set([...having, ...sharing])];
}

function isSwarmMember(node: EngineNode): boolean {
  return asString(asObject(node.info?.raw['Swarm'])['LocalNodeState']) === 'active';
}
