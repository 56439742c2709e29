import { engineRefusal, openStream, readRefusal } from '../../engine/index.ts';
import type { ApiMinor } from '../../docker-api/index.ts';
import type { Outcomes } from '../pool/each-node.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { fanOut } from './image-fanout.ts';

export interface ImageCopy {
  readonly from: EngineNode;
  readonly to: readonly EngineNode[];
  /** A name, which the copies get too, or an id. */
  readonly image: string;
  readonly minor: ApiMinor;
  readonly signal: AbortSignal;
}

/** Copies an image from one engine to others, as a stream. Throws the words of the first; the others' are outcomes. */
export async function copyImage({ from, to, image, minor, signal }: ImageCopy): Promise<Outcomes<unknown>> {
  const path = from.path(`/images/get?names=${encodeURIComponent(image)}`, minor);
  const archive = await openStream(from.client, { method: 'GET', path, headers: {}, body: null }, signal);
  if (archive.status !== 200) throw engineRefusal(await readRefusal(from.client, archive));
  try {
    return await fanOut({
      nodes: to,
      path: (node) => node.path('/images/load?quiet=1', minor),
      headers: { 'content-type': 'application/x-tar' },
      upload: archive.body,
      title: '',
      signal,
    });
  } finally {
    archive.body.destroy();
  }
}
