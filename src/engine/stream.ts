import type { Readable } from 'node:stream';
import { SwarmError } from '../base/errors.ts';
import type { EngineAnswer, EngineClient } from './client.ts';
import type { RelayRequest } from './relay.ts';

/** An answer that is read as it comes. */
export interface EngineStream {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** To be read or destroyed. */
  body: Readable;
}

const REFUSAL_MAX_BYTES = 1024 * 1024;

/**
 * Sends a request, and resolves with the head of the answer, maybe before the request's body is all sent. The signal
 * ends the answer's body too. Throws `unavailable`, or the error that broke the request's body.
 */
export async function openStream(
  engine: EngineClient,
  request: RelayRequest,
  signal: AbortSignal,
): Promise<EngineStream> {
  try {
    const { dispatcher } = engine;
    const answer = await dispatcher.request({ ...request, method: request.method, signal });
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  } catch (error) {
    throw engine.failure(error, false);
  }
}

/** The rest of an answer that is an error, for `engineRefusal`. Throws `unavailable` when it does not end well. */
export async function readRefusal(engine: EngineClient, stream: EngineStream): Promise<EngineAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > REFUSAL_MAX_BYTES) throw new SwarmError('too-large', 'an error answer that does not end');
      chunks.push(chunk);
    }
  } catch (error) {
    throw engine.failure(error, false);
  }
  return { status: stream.status, headers: stream.headers, body: Buffer.concat(chunks) };
}
