import { asNumber, asString, asStringRecord, asStrings, type Json } from '../../base/json.ts';
import type { ApiMinor } from '../../docker-api/index.ts';
import type { EngineNode } from '../pool/engine-node.ts';

const UNTAGGED = '<none>:<none>';
const UNDIGESTED = '<none>@<none>';

/** An image of the pool: one id, at one node or several. */
export interface PoolImage {
  id: string;
  created: number;
  tags: string[];
  digests: string[];
  labels: Record<string, string>;
  /** How many containers use it, as far as every engine has just counted; else -1. */
  containers: number;
  /** The list entry of the first node that has it. */
  entry: Json;
  nodes: EngineNode[];
}

/** What one node has. */
export interface NodeImages {
  node: EngineNode;
  images: readonly Json[];
}

/** One entry for every id, with the names it has at any node. */
export function mergeImages(lists: readonly NodeImages[]): PoolImage[] {
  const byId = new Map<string, PoolImage>();
  for (const { node, images } of lists) {
    for (const entry of images) {
      const id = asString(entry['Id']);
      const tags = asStrings(entry['RepoTags']).filter((tag) => tag !== UNTAGGED);
      const digests = asStrings(entry['RepoDigests']).filter((digest) => digest !== UNDIGESTED);
      const known = byId.get(id);
      if (!known) {
        const created = asNumber(entry['Created']);
        const labels = asStringRecord(entry['Labels']);
        const containers = containersOf(entry);
        byId.set(id, { id, created, tags, digests, labels, containers, entry, nodes: [node] });
        continue;
      }
      known.nodes.push(node);
      known.containers =
        Math.min(known.containers, containersOf(entry)) < 0 ? -1 : known.containers + containersOf(entry);
      for (const tag of tags) if (!known.tags.includes(tag)) known.tags.push(tag);
      for (const digest of digests) if (!known.digests.includes(digest)) known.digests.push(digest);
    }
  }
  return [...byId.values()];
}

function containersOf(entry: Json): number {
  return typeof entry['Containers'] === 'number' ? entry['Containers'] : -1;
}

/** Clients of different ages read entries of different forms. */
export function eraOf(minor: ApiMinor): 'placeholders' | 'virtual-size' | 'plain' {
  if (minor < 43) return 'placeholders';
  return minor < 44 ? 'virtual-size' : 'plain';
}

/** The list entry as clients of that version read it. */
export function listEntry({ entry, tags, digests, containers }: PoolImage, minor: ApiMinor): Json {
  const { VirtualSize, ...kept } = entry;
  const rest: Json = { ...kept, Containers: containers };
  const era = eraOf(minor);
  const sizes = era === 'plain' ? {} : { VirtualSize: VirtualSize ?? rest['Size'] };
  if (era !== 'placeholders') return { ...rest, ...sizes, RepoTags: tags, RepoDigests: digests };
  // Before 1.43 what has no name is called <none>, and CLIs of that time show nothing without it.
  const nameless = tags.length + digests.length === 0;
  return {
    ...rest,
    ...sizes,
    RepoTags: nameless ? [UNTAGGED] : tags.length > 0 ? tags : null,
    RepoDigests: nameless ? [UNDIGESTED] : digests.length > 0 ? digests : null,
  };
}
