import type { IncomingMessage } from 'node:http';
import { SwarmError } from '../base/errors.ts';

const BODY_MAX_BYTES = 1024;
const BODY_MS = 10_000;

/** A short body as text. Rejects with `too-large`, with `timeout`, or with `invalid` when the client left. */
export async function readShortBody(request: IncomingMessage): Promise<string> {
  const timer = setTimeout(() => request.destroy(), BODY_MS);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // The connection stays, for the answer.
    const read = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    for await (const chunk of read) {
      size += chunk.length;
      if (size > BODY_MAX_BYTES) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new SwarmError('invalid', 'the request ended before its body was complete', { cause });
  } finally {
    clearTimeout(timer);
  }
  if (size > BODY_MAX_BYTES)
    throw new SwarmError('too-large', `the body is an address of ${BODY_MAX_BYTES} bytes at most`);
  return Buffer.concat(chunks).toString('utf8');
}
