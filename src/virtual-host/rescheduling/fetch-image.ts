import { messageOf } from '../../base/errors.ts';
import { imageReferenceText, parseImageReference } from '../../docker-api/index.ts';
import type { Context } from '../context.ts';
import { followProgress } from '../images/engine-progress.ts';
import { copyImage } from '../images/image-copy.ts';
import { imagesInIndex } from '../images/locate-image.ts';
import { mergedFailure } from '../pool/each-node.ts';
import type { EngineNode } from '../pool/engine-node.ts';

export interface ImageWanted {
  /** As the container names it. */
  readonly image: string;
  /** The client's `X-Registry-Auth`, if there was one. */
  readonly auth: string | undefined;
  readonly signal: AbortSignal;
}

/** Brings an image to a node: from another node that has it, else from its registry. Throws the engines' words. */
export async function fetchImage(
  { pool, config }: Context,
  to: EngineNode,
  wanted: ImageWanted,
): Promise<void> {
  const { image, signal } = wanted;
  const home = imagesInIndex(pool, image).find(({ node }) => node !== to);
  try {
    if (home) {
      config.log.info({ image, from: home.node.name, to: to.name }, 'Copying image');
      const copy = { from: home.node, to: [to], image: home.called, minor: pool.minor, signal };
      const { failed } = await copyImage(copy);
      if (failed.length === 0) return;
      config.log.warn({ image, err: mergedFailure(failed).message }, 'Image could not be copied');
    }
    await pull(to, wanted);
  } catch (error) {
    config.log.debug({ image, node: to.name, err: messageOf(error) }, 'Image could not be brought');
    throw error;
  } finally {
    to.inventory.mark('images');
  }
}

async function pull(node: EngineNode, { image, auth, signal }: ImageWanted): Promise<void> {
  const named = parseImageReference(image);
  const tag = named.tag === '' && named.digest === '' ? '&tag=latest' : '';
  await followProgress(node, {
    request: {
      method: 'POST',
      path: `${node.path('/images/create')}?fromImage=${encodeURIComponent(imageReferenceText(named))}${tag}`,
      headers: auth === undefined ? {} : { 'x-registry-auth': auth },
      body: null,
    },
    signal,
    onMessage: () => undefined,
  });
}
