import { SwarmError } from '../../base/errors.ts';
import { asArray, asNumber, asObject, asString } from '../../base/json.ts';
import {
  filterFlag,
  filtersText,
  matchesLabels,
  parseImageReference,
  parseMoment,
  pathPattern,
  type Filters,
} from '../../docker-api/index.ts';
import type { Context } from '../context.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { locateImage } from './locate-image.ts';
import type { PoolImage } from './pool-image.ts';

const ASK_TIMEOUT_MS = 30_000;

export type ImageTest = (image: PoolImage) => boolean;

/** The filters that an image's own entry answers. Throws `invalid`. */
export function indexTests(filters: Filters): ImageTest[] {
  const tests: ImageTest[] = [];
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

/** `before` and `since` another image. Throws `not-found` where that one is not there. */
export async function relativeTests({ pool }: Context, filters: Filters): Promise<ImageTest[]> {
  const tests: ImageTest[] = [];
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
export function narrowed(images: readonly PoolImage[], patterns: readonly string[]): PoolImage[] {
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
