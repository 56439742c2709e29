import { SwarmError } from '../../base/errors.ts';
import { asArray, asStrings } from '../../base/json.ts';
import { parseImageReference, type ApiCall } from '../../docker-api/index.ts';
import type { Handler } from '../context.ts';
import { atEach, callWhileHealthy, failureText, mergedFailure, nodeNames } from '../pool/each-node.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { imagePath, locateImage, type ImageHome } from './locate-image.ts';
import { pass } from '../pass.ts';
import type { Pool } from '../pool/pool.ts';

const CHANGE_TIMEOUT_MS = 10 * 60_000;

/** Passes a call to an engine that has the image. */
export const passToImage: Handler = async (call, { pool }) => {
  const name = call.param('name');
  const { node, called } = newest(await locateImage(pool, name));
  await pass(call, node, imagePath(called, call.path.slice('/images/'.length + name.length)));
};

/** `GET /images/get`: an archive of several images comes from one engine, so one must have them all. */
export const saveImages: Handler = async (call, { pool }) => {
  const names = call.query.getAll('names').filter((name) => name !== '');
  if (names.length === 0) throw new SwarmError('invalid', 'no images named: names must be given');
  const homes = await Promise.all(names.map((name) => locateImage(pool, name)));
  const nodes = (homes[0] ?? []).filter(({ node }) =>
    homes.every((each) => each.some((home) => home.node === node)),
  );
  if (nodes.length === 0) {
    const places = names.map((name, i) => `${name} is on ${nodeNames(homes[i] ?? [])}`);
    throw new SwarmError('conflict', `No node has all of these images: ${places.join('; ')}`);
  }
  await pass(call, newest(nodes).node, '/images/get');
};

/** `POST /images/{name}/push` */
export const pushImage: Handler = async (call, { pool }) => {
  const name = call.param('name');
  const node = pusherOf(pool, name, call.query.get('tag') ?? '') ?? pool.anyHealthy();
  // Where nobody has it, the engine says so in Docker's words.
  await pass(call, node, imagePath(name, '/push'));
};

/** A node with the tag; without one, the node with the most tags of the repository. */
function pusherOf(pool: Pool, name: string, tag: string): EngineNode | undefined {
  const wanted = parseImageReference(name);
  const tagWanted = tag === '' ? wanted.tag : tag;
  const counts = pool.healthy().map((node) => {
    const tags = node.inventory.images
      .flatMap((image) => asStrings(image['RepoTags']))
      .map(parseImageReference);
    const own = tags.filter((each) => each.name === wanted.name && each.tag !== '');
    return { node, count: own.filter((each) => tagWanted === '' || each.tag === tagWanted).length };
  });
  const [most] = counts.sort((a, b) => b.count - a.count);
  return most && most.count > 0 ? most.node : undefined;
}

/** `POST /images/{name}/tag`, wherever the image is. */
export const tagImage: Handler = async (call, { pool }) => {
  await changeEverywhere(call, await locateImage(pool, call.param('name')), 'tagged');
  await pool.settle();
  call.empty(201);
};

/** `DELETE /images/{name}`, wherever the image is. */
export const removeImage: Handler = async (call, { pool }) => {
  const bodies = await changeEverywhere(call, await locateImage(pool, call.param('name')), 'removed');
  const lines = new Map<string, unknown>();
  for (const line of bodies.flat()) lines.set(JSON.stringify(line), line);
  await pool.settle();
  // As engines have it: what lost its name first, then what is gone.
  const merged = [...lines].sort(
    ([a], [b]) => Number(a.startsWith('{"Deleted"')) - Number(b.startsWith('{"Deleted"')),
  );
  call.json(
    200,
    merged.map(([, line]) => line),
  );
};

/** Makes the call at every node; throws when one refuses, saying where it was done all the same. */
async function changeEverywhere(
  call: ApiCall,
  homes: readonly ImageHome[],
  done: string,
): Promise<unknown[][]> {
  const action = call.path.slice('/images/'.length + call.param('name').length);
  const names = new Map(homes.map(({ node, called }) => [node, called]));
  const { done: successes, failed } = await atEach([...names.keys()], async (node) => {
    const path = node.path(imagePath(names.get(node) ?? '', action), call.minor) + call.search;
    const options = { method: call.method, signal: call.signal, timeoutMs: CHANGE_TIMEOUT_MS };
    try {
      const { body } = await callWhileHealthy(node, path, options);
      return body.length > 0 ? [...asArray(JSON.parse(body.toString('utf8')) as unknown)] : [];
    } finally {
      node.inventory.mark('images');
    }
  });
  // An engine that has lost it since is where it should be after a removal, and no matter for a tag.
  const telling = successes.length > 0 ? failed.filter(({ error }) => error.code !== 'not-found') : failed;
  if (telling.length > 0) {
    const failure = mergedFailure(telling);
    if (successes.length === 0) throw failure;
    throw new SwarmError(failure.code, `${failureText(telling)} (${done} on ${nodeNames(successes)})`);
  }
  return successes.map(({ value }) => value);
}

/** Of those that have an image, the engine that tells most about it. */
function newest(homes: readonly ImageHome[]): ImageHome {
  const [first, ...others] = homes;
  if (!first) throw new SwarmError('internal', 'an image that was found has no home');
  const age = (home: ImageHome): number => home.node.info?.apiMinor ?? 0;
  return others.reduce((best, home) => (age(home) > age(best) ? home : best), first);
}
