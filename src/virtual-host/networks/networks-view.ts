import { SwarmError } from '../../base/errors.ts';
import { asObject, asString, asStringRecord, type Json } from '../../base/json.ts';
import { publicLabels, readNotes, withoutNotes, type NetworkNotes } from './networks-labels.ts';

/** What the view needs of a node. */
export interface NamedNode {
  readonly name: string;
}

/** A network of the cluster: one of one node, or one that all its nodes share. */
export interface ClusterNetwork<N extends NamedNode = NamedNode> extends NetworkNotes {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** Docker's word: local, global, swarm. */
  readonly scope: string;
  /** Without the manager's notes. */
  readonly labels: Readonly<Record<string, string>>;
  /** The engine's list entry, without the manager's notes. */
  readonly entry: Json;
  /** The first node that has it; the only one of a local network. */
  readonly home: N;
  readonly nodes: readonly N[];
  /** The first id it ever had: the same for as long as the network lives, wherever it moves. */
  readonly root: string;
}

const PREDEFINED = new Set(['bridge', 'host', 'none', 'default']);

/** Whether every engine has a network of this name by itself. */
export function isPredefined(name: string): boolean {
  return PREDEFINED.has(name);
}

export function isLocal(network: Pick<ClusterNetwork, 'scope'>): boolean {
  return network.scope === 'local';
}

/**
 * The networks of the cluster, out of every engine's list: shared ones once, and one that is just moving, and so on
 * two nodes, only where it moves to.
 */
export function collectNetworks<N extends NamedNode>(
  lists: Iterable<{ readonly node: N; readonly networks: readonly Json[] }>,
): ClusterNetwork<N>[] {
  const found: ClusterNetwork<N>[] = [];
  const shared = new Map<string, N[]>();
  const left = new Set<string>();
  for (const { node, networks } of lists) {
    for (const entry of networks) {
      const scope = asString(entry['Scope']) || 'local';
      const id = asString(entry['Id']);
      const others = scope === 'local' ? undefined : shared.get(id);
      if (others) {
        others.push(node);
        continue;
      }
      const nodes = [node];
      if (scope !== 'local') shared.set(id, nodes);
      const labels = asStringRecord(entry['Labels']);
      const notes = readNotes(labels);
      for (const former of notes.formerIds) left.add(former);
      found.push({
        id,
        name: asString(entry['Name']),
        driver: asString(entry['Driver']),
        scope,
        labels: publicLabels(labels),
        entry: withoutNotes(entry),
        home: node,
        nodes,
        root: notes.formerIds[0] ?? id,
        ...notes,
      });
    }
  }
  return left.size === 0 ? found : found.filter(({ id }) => !left.has(id));
}

/**
 * What goes to one node if it can. Services of a Compose project meet on its networks, and one that is on two of them
 * can only be where both are.
 */
export function groupOf({ labels, root }: Pick<ClusterNetwork, 'labels' | 'root'>): string {
  const project = labels['com.docker.compose.project'];
  return project === undefined ? root : `project ${project}`;
}

/** The networks that a reference may mean, and by what. */
export interface NetworkMatch<N extends NamedNode> {
  readonly by: 'id' | 'name' | 'prefix';
  readonly networks: readonly ClusterNetwork<N>[];
}

/**
 * What is meant by an id, one it had before, a name, `node/name` (given taken apart as `placed`), or an id prefix,
 * in this order. Undefined when nothing is.
 */
export function matchNetworks<N extends NamedNode>(
  all: readonly ClusterNetwork<N>[],
  reference: string,
  placed?: { readonly node: N; readonly name: string },
): NetworkMatch<N> | undefined {
  if (reference === '') return undefined;
  const byId = all.filter((network) => idsOf(network).includes(reference));
  if (byId.length > 0) return { by: 'id', networks: byId };
  const byName = all.filter(({ name }) => name === reference);
  if (byName.length > 0) return { by: 'name', networks: byName };
  if (placed)
    return matchNetworks(
      all.filter(({ nodes }) => nodes.includes(placed.node)),
      placed.name,
    );
  if (!/^[0-9a-f]+$/.test(reference)) return undefined;
  const byPrefix = all.filter((network) => idsOf(network).some((id) => id.startsWith(reference)));
  return byPrefix.length > 0 ? { by: 'prefix', networks: byPrefix } : undefined;
}

/** The present id and those before. */
export function idsOf(network: Pick<ClusterNetwork, 'id' | 'formerIds'>): string[] {
  return [network.id, ...network.formerIds];
}

/** Docker's words when a reference means several. */
export function ambiguousNetwork(reference: string, { by, networks }: NetworkMatch<NamedNode>): SwarmError {
  const how = by === 'prefix' ? 'based on ID prefix' : 'based on name';
  const choices = networks.map(({ home, name }) => `${home.name}/${name}`).join(', ');
  const advice = by === 'prefix' ? '' : `: say which one (${choices})`;
  return new SwarmError(
    'invalid',
    `network ${reference} is ambiguous (${networks.length} matches found ${how})${advice}`,
  );
}

export function networkNotFound(reference: string): SwarmError {
  return new SwarmError('not-found', `network ${reference} not found`);
}

/** Whether a container (its list entry), running or not, is on a network of its node. */
export function isOnNetwork(container: Json, network: Pick<ClusterNetwork, 'id' | 'name'>): boolean {
  const mode = asString(asObject(container['HostConfig'])['NetworkMode']);
  if (mode === network.name || mode === network.id) return true;
  const networks = asObject(asObject(container['NetworkSettings'])['Networks']);
  return Object.entries(networks).some(([name, endpoint]) => {
    const id = asString(asObject(endpoint)['NetworkID']);
    return id === '' ? name === network.name : id === network.id;
  });
}

/** What an engine calls an endpoint of another engine's container, before its id. */
const REMOTE_ENDPOINT = 'ep-';

/** Whether a key of `mergeEndpoints` is an endpoint that no engine has as its own. */
export function isRemoteEndpoint(key: string): boolean {
  return key.startsWith(REMOTE_ENDPOINT);
}

/**
 * The containers on a shared network, by container id, from what each engine shows of it. An endpoint that no engine has
 * as its own, such as one that a lost node left behind, stays as the others tell it.
 */
export function mergeEndpoints(lists: readonly Json[]): Json {
  const all = new Map(lists.flatMap((list) => Object.entries(list)));
  const own = new Set<string>();
  for (const [key, endpoint] of all)
    if (!isRemoteEndpoint(key)) own.add(asString(asObject(endpoint)['EndpointID']));
  const once = [...all].filter(
    ([key]) => !isRemoteEndpoint(key) || !own.has(key.slice(REMOTE_ENDPOINT.length)),
  );
  return Object.fromEntries(once);
}
