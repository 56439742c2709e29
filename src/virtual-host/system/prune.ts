import { SwarmError } from '../../base/errors.ts';
import { asArray, asNumber, asObject, asString, type Json } from '../../base/json.ts';
import type { Handler } from '../context.ts';
import { atEach, callWhileHealthy, failureText, healthyNodes, mergedFailure } from '../pool/each-node.ts';
import type { EngineNode } from '../pool/engine-node.ts';

const PRUNE_TIMEOUT_MS = 30 * 60_000;

interface PruneKind {
  path: string;
  /** The member of the answer that lists what is gone. */
  list: string;
  /** Networks free nothing that is measured. */
  measured: boolean;
  /** An engine's entry as the cluster calls it. */
  entry?: (node: EngineNode, entry: unknown) => unknown;
  /** Has what is known of the node read again. */
  mark: (node: EngineNode, removed: readonly unknown[]) => void;
}

/** `POST /containers/prune` */
export const pruneContainers = prune({
  path: '/containers/prune',
  list: 'ContainersDeleted',
  measured: true,
  mark: (node, removed) => {
    for (const id of removed) node.inventory.remove(asString(id));
  },
});

/** `POST /images/prune` */
export const pruneImages = prune({
  path: '/images/prune',
  list: 'ImagesDeleted',
  measured: true,
  mark: (node) => node.inventory.mark('images'),
});

/** `POST /volumes/prune`: a volume is called `node/name`, as in the list. */
export const pruneVolumes = prune({
  path: '/volumes/prune',
  list: 'VolumesDeleted',
  measured: true,
  entry: (node, name) => `${node.name}/${asString(name)}`,
  mark: (node) => node.inventory.mark('volumes'),
});

/** `POST /networks/prune`: a local network is called `node/name`, as in the list. */
export const pruneNetworks = prune({
  path: '/networks/prune',
  list: 'NetworksDeleted',
  measured: false,
  entry: (node, name) => (isGlobal(node, asString(name)) ? name : `${node.name}/${asString(name)}`),
  mark: (node) => node.inventory.mark('networks'),
});

/** `POST /build/prune` */
export const pruneBuildCache = prune({
  path: '/build/prune',
  list: 'CachesDeleted',
  measured: true,
  mark: () => undefined,
});

/** What the inventory says before the pruned ones are read out of it. */
function isGlobal(node: EngineNode, name: string): boolean {
  return node.inventory.networks.some((network) => network['Name'] === name && network['Scope'] !== 'local');
}

/** Every engine prunes; what each has removed is told together. */
function prune(kind: PruneKind): Handler {
  return async (call, { pool }) => {
    const { done, failed } = await atEach(healthyNodes(pool), async (node) => {
      const path = node.path(kind.path, call.minor) + call.search;
      const options = { method: 'POST', signal: call.signal, timeoutMs: PRUNE_TIMEOUT_MS };
      const answer = await callWhileHealthy(node, path, options);
      const said = asObject(JSON.parse(answer.body.toString('utf8')) as unknown);
      const removed = asArray(said[kind.list]);
      const entries = kind.entry ? removed.map((entry) => kind.entry?.(node, entry)) : removed;
      kind.mark(node, removed);
      return { entries, bytes: asNumber(said['SpaceReclaimed']) };
    });
    const entries = [
      ...new Map(
        done.flatMap(({ value }) => value.entries).map((each) => [JSON.stringify(each), each]),
      ).values(),
    ];
    const bytes = done.reduce((sum, { value }) => sum + value.bytes, 0);
    if (failed.length > 0) {
      const failure = mergedFailure(failed);
      if (done.length === 0) throw failure;
      const rest = done.map(({ node, value }) => `${node.name} removed ${value.entries.length}`).join(', ');
      throw new SwarmError(failure.code, `${failureText(failed)} (${rest}; ${bytes} bytes reclaimed there)`);
    }
    await pool.settle();
    const answer: Json = { [kind.list]: entries.length > 0 ? entries : null };
    if (kind.measured) answer['SpaceReclaimed'] = bytes;
    call.json(200, answer);
  };
}
