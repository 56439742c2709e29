import { SwarmError } from '../../base/errors.ts';
import { asObject, asString } from '../../base/json.ts';
import type { Container } from '../pool/container.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import type { Pool } from '../pool/pool.ts';

/** How long engines may take to say whether they know what the index does not. */
const ASK_TIMEOUT_MS = 2_000;

/**
 * The container meant by a full id, a name, `node/name` or an id prefix. What the index does not know is looked up
 * at the engines, because somebody else may have made it a moment ago.
 * Throws `not-found`; for a prefix of several `internal`, for a name of several `invalid`; in Docker's words.
 */
export async function locateContainer(pool: Pool, reference: string): Promise<Container> {
  const known = inIndex(pool, reference);
  if (known) return known;
  await pool.settle();
  const settled = inIndex(pool, reference) ?? (await atEngines(pool, reference));
  if (settled) return settled;
  throw new SwarmError('not-found', `No such container: ${reference}`);
}

/** `locateContainer`, for what needs the engine to answer. Throws as well when its node is not healthy. */
export async function reachContainer(pool: Pool, reference: string): Promise<Container> {
  const container = await locateContainer(pool, reference);
  if (!container.node.healthy) {
    throw new SwarmError(
      'unavailable',
      `Container ${reference} running on unhealthy node ${container.node.name}`,
    );
  }
  return container;
}

/** The container meant, as far as the index knows. */
export function inIndex(pool: Pool, reference: string): Container | undefined {
  const { index } = pool;
  const exact = index.get(reference);
  if (exact) return exact;
  const name = plainName(reference);
  const named = index.named(name);
  if (named.length > 0) return theOne(named, () => ambiguousName(name, named));
  const placed = splitPlaced(pool, name);
  if (placed) {
    const here = [...placed.node.inventory.containers.values()];
    const hit = here.find((container) => container.name === placed.name);
    return (
      hit ??
      theOne(
        here.filter((container) => container.id.startsWith(placed.name)),
        () => ambiguousPrefix(name),
      )
    );
  }
  if (!/^[0-9a-f]+$/.test(name)) return undefined;
  return theOne(index.withPrefix(name), () => ambiguousPrefix(name));
}

/** Splits `node/rest` where the first part is a node of the pool. */
export function splitPlaced(pool: Pool, reference: string): { node: EngineNode; name: string } | undefined {
  const at = reference.indexOf('/');
  if (at <= 0 || at === reference.length - 1) return undefined;
  const node = pool.node(reference.slice(0, at));
  return node ? { node, name: reference.slice(at + 1) } : undefined;
}

/** Names come with or without Docker's leading slash. */
function plainName(reference: string): string {
  return reference.startsWith('/') ? reference.slice(1) : reference;
}

function theOne(found: readonly Container[], otherwise: () => SwarmError): Container | undefined {
  if (found.length > 1) throw otherwise();
  return found[0];
}

function ambiguousPrefix(prefix: string): SwarmError {
  // Engines answer so, with status 500.
  return new SwarmError('internal', `Multiple IDs found with provided prefix: ${prefix}`);
}

function ambiguousName(name: string, found: readonly Container[]): SwarmError {
  const choices = found.map((container) => `${container.node.name}/${name}`).join(', ');
  return new SwarmError(
    'invalid',
    `Several nodes have a container named ${name}: say which one (${choices})`,
  );
}

async function atEngines(pool: Pool, reference: string): Promise<Container | undefined> {
  const name = plainName(reference);
  const placed = splitPlaced(pool, name);
  const asked = (placed ? [placed.node] : pool.healthy()).filter((node) => node.healthy);
  const path = `/containers/${encodeURIComponent(placed?.name ?? name)}/json`;
  const found = await Promise.all(
    asked.map(async (node) => {
      const id = await askForId(node, path);
      if (id === undefined) return undefined;
      node.inventory.markContainer(id);
      await pool.settle([node]);
      return pool.index.get(id);
    }),
  );
  const hits = found.filter((container) => container !== undefined);
  return theOne(hits, () =>
    hits.every((container) => container.name === name) ? ambiguousName(name, hits) : ambiguousPrefix(name),
  );
}

/** Undefined when the engine has no such container, or does not say in time. */
async function askForId(node: EngineNode, path: string): Promise<string | undefined> {
  try {
    const answer = await node.client.call(node.path(path), { timeoutMs: ASK_TIMEOUT_MS });
    if (answer.status !== 200) return undefined;
    return asString(asObject(JSON.parse(answer.body.toString('utf8')) as unknown)['Id']) || undefined;
  } catch {
    // An engine that does not answer can't say that it has it; its own loop deals with it.
    return undefined;
  }
}
