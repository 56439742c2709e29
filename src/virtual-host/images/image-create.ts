import { messageOf } from '../../base/errors.ts';
import { asString, type Json } from '../../base/json.ts';
import { relayedBody, relayedHeaders } from '../../engine/index.ts';
import {
  ProgressStream,
  imageReferenceText,
  parseImageReference,
  queryFlag,
  type ApiCall,
} from '../../docker-api/index.ts';
import type { Context, Handler } from '../context.ts';
import { failureText, healthyNodes, type Outcomes } from '../pool/each-node.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { followProgress } from './engine-progress.ts';
import { copyImage } from './image-copy.ts';
import { answerFanOut } from './image-fanout.ts';
import { pass } from '../pass.ts';

/** `POST /images/create`: a pull or an import, to every engine. */
export const createImage: Handler = async (call, context) => {
  if ((call.query.get('fromImage') ?? '') !== '') await pullImage(call, context);
  else if (call.query.has('fromSrc')) await importImage(call, context);
  else await pass(call, context.pool.anyHealthy(), '/images/create');
};

async function pullImage(call: ApiCall, { pool }: Context): Promise<void> {
  const given = parseImageReference(call.query.get('fromImage') ?? '');
  const tag = call.query.get('tag') ?? '';
  const wanted = tag.includes(':')
    ? { ...given, digest: tag }
    : { ...given, tag: tag === '' ? given.tag : tag };
  await answerFanOut(
    call,
    {
      nodes: healthyNodes(pool),
      path: (node) => node.path('/images/create', call.minor) + call.search,
      headers: headersWithoutBody(call),
      title: `Pulling ${imageReferenceText(wanted)}...`,
    },
    { word: 'downloaded', quiet: false },
  );
}

/** `POST /images/load`: the archive goes to every engine at once. */
export const loadImages: Handler = async (call, { pool }) => {
  await answerFanOut(
    call,
    {
      nodes: healthyNodes(pool),
      path: (node) => node.path('/images/load', call.minor) + call.search,
      headers: relayedHeaders(call.req.headers),
      upload: call.req,
      title: 'Loading image...',
    },
    { word: 'loaded', quiet: queryFlag(call.query, 'quiet') },
  );
};

/**
 * An import makes a new image with a new id wherever it is done. So it is done by one engine, and the others get that
 * image: the cluster has one image then, with the id that the client is told.
 */
async function importImage(call: ApiCall, { pool }: Context): Promise<void> {
  const [first, ...others] = healthyNodes(pool);
  if (!first) return;
  const answer = new ProgressStream(call.res);
  try {
    const said = await importAt(call, first, answer);
    const ids = said.map((line) => asString(line['status']));
    const id = ids.find((status) => /^sha256:[0-9a-f]{64}$/.test(status));
    const { failed } = id === undefined ? { failed: [] } : await spread(call, first, id, others);
    for (const line of said) answer.send(line);
    if (failed.length > 0) answer.fail(failureText(failed));
  } catch (error) {
    if (!answer.opened) throw error;
    answer.fail(messageOf(error));
  }
  answer.end();
  call.dropUpload();
}

/** Gives the lines about the whole: they are for the end, because the id stands for an image that is everywhere. */
async function importAt(call: ApiCall, node: EngineNode, answer: ProgressStream): Promise<Json[]> {
  const said: Json[] = [];
  try {
    await followProgress(node, {
      request: {
        method: 'POST',
        path: node.path('/images/create', call.minor) + call.search,
        headers: relayedHeaders(call.req.headers),
        body: relayedBody(call.req),
      },
      signal: call.signal,
      onOpen: () => answer.open(),
      onMessage: (message) => {
        if (message['progressDetail'] === undefined) said.push(message);
        else if (!answer.behind) answer.send(message);
      },
    });
    return said;
  } finally {
    node.inventory.mark('images');
  }
}

/** Copies an image from one engine to others, with the name that the import gave it. */
function spread(
  call: ApiCall,
  from: EngineNode,
  id: string,
  to: readonly EngineNode[],
): Promise<Outcomes<unknown>> {
  const repository = call.query.get('repo') ?? '';
  const tag = call.query.get('tag') ?? '';
  const image = repository === '' ? id : tag === '' ? repository : `${repository}:${tag}`;
  return copyImage({ from, to, image, minor: call.minor, signal: call.signal });
}

function headersWithoutBody(call: ApiCall): Record<string, string | string[]> {
  const headers = relayedHeaders(call.req.headers);
  delete headers['content-length'];
  delete headers['content-type'];
  return headers;
}
