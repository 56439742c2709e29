import { SwarmError } from '../../base/errors.ts';
import { asObject, asString, asStrings, type Json } from '../../base/json.ts';
import { engineRefusal, type EngineAnswer } from '../../engine/index.ts';
import { imageReferenceText, parseImageReference } from '../../docker-api/index.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import type { Pool } from '../pool/pool.ts';

/** An image at one of the nodes that have it. */
export interface ImageHome {
  node: EngineNode;
  /** `sha256:…` */
  id: string;
  /** What to call it there: its name, or the whole of an id of which only the beginning was given. */
  called: string;
}

/** How long engines may take to say whether they know what the index does not. */
const ASK_TIMEOUT_MS = 5_000;
const ID = /^(?:sha256:)?[0-9a-f]{1,64}$/;

/**
 * Every healthy node that has the image meant by a name, id, id prefix or digest. What the index does not know is
 * looked up at the engines, because somebody else may have brought it a moment ago. Never empty.
 * Throws `not-found` in Docker's words.
 */
export async function locateImage(pool: Pool, reference: string): Promise<ImageHome[]> {
  const known = imagesInIndex(pool, reference);
  if (known.length > 0) return known;
  await pool.settle();
  const settled = imagesInIndex(pool, reference);
  return settled.length > 0 ? settled : atEngines(pool, reference);
}

/** As far as the index knows; a name goes before the beginning of an id, as in Docker. */
export function imagesInIndex(pool: Pool, reference: string): ImageHome[] {
  const isNamed = nameTest(reference);
  const named = select(pool, isNamed, reference);
  if (named.length > 0 || !ID.test(reference)) return named;
  const prefix = reference.startsWith('sha256:') ? reference : `sha256:${reference}`;
  const found = select(pool, (image) => asString(image['Id']).startsWith(prefix), undefined);
  if (new Set(found.map(({ id }) => id)).size > 1) {
    throw new SwarmError('not-found', `No such image: ${reference} (several image IDs begin so)`);
  }
  return found;
}

/** Docker's words for an image that nobody has. */
export function noSuchImage(reference: string): SwarmError {
  const parsed = parseImageReference(reference);
  const isId = /^(?:sha256:)?[0-9a-f]{64}$/.test(reference);
  if (isId) return new SwarmError('not-found', `No such image: sha256:${reference.replace(/^sha256:/, '')}`);
  const tag = parsed.tag === '' && parsed.digest === '' ? 'latest' : parsed.tag;
  return new SwarmError('not-found', `No such image: ${imageReferenceText({ ...parsed, tag })}`);
}

/** A path with an image's name in it, for an engine. */
export function imagePath(reference: string, action = ''): string {
  return `/images/${reference.split('/').map(encodeURIComponent).join('/')}${action}`;
}

function nameTest(reference: string): (image: Json) => boolean {
  const { name, tag, digest } = parseImageReference(reference);
  if (digest !== '') {
    const wanted = `${name}@${digest}`;
    return (image) => asStrings(image['RepoDigests']).some((each) => canonical(each) === wanted);
  }
  const wanted = `${name}:${tag === '' ? 'latest' : tag}`;
  return (image) =>
    asStrings(image['RepoTags']).some((each) => each === wanted || canonical(each) === wanted);
}

function canonical(text: string): string {
  return imageReferenceText(parseImageReference(text));
}

function select(pool: Pool, test: (image: Json) => boolean, name: string | undefined): ImageHome[] {
  return pool.healthy().flatMap((node) => {
    const image = node.inventory.images.find(test);
    if (!image) return [];
    const id = asString(image['Id']);
    return [{ node, id, called: name ?? id }];
  });
}

async function atEngines(pool: Pool, reference: string): Promise<ImageHome[]> {
  const asked = pool.healthy();
  const answers = await Promise.all(asked.map((node) => inspect(node, reference)));
  const homes = answers.flatMap((answer, i) => {
    const node = asked[i];
    if (!node || answer?.status !== 200) return [];
    // What no list shows (the layers of a build) is no reason to read the lists again, but a new name is.
    node.inventory.mark('images');
    const id = asString(asObject(JSON.parse(answer.body.toString('utf8')) as unknown)['Id']);
    return [{ node, id, called: reference }];
  });
  if (homes.length > 0) return homes;
  // A name that can't be one is refused by all in the same words.
  const bad = answers.find((answer) => answer?.status === 400);
  throw bad ? engineRefusal(bad) : noSuchImage(reference);
}

/** Undefined when the engine does not say in time. */
async function inspect(node: EngineNode, reference: string): Promise<EngineAnswer | undefined> {
  try {
    return await node.client.call(node.path(imagePath(reference, '/json')), { timeoutMs: ASK_TIMEOUT_MS });
  } catch {
    // An engine that does not answer can't say that it has it; its own loop deals with it.
    return undefined;
  }
}
