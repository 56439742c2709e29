import type { IncomingMessage } from 'node:http';
import { parseExact } from '../base/exact-json.ts';
import { SwarmError } from '../base/errors.ts';

/** The largest JSON body that is read; Docker's own requests stay far below. */
export const JSON_MAX_BYTES = 16 * 1024 * 1024;

/** Reads a body whole. Throws `too-large` beyond `maxBytes`, `invalid` when the client left in the middle. */
export async function readBody(request: IncomingMessage, maxBytes = JSON_MAX_BYTES): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof SwarmError) throw error;
    throw new SwarmError('invalid', 'the request ended before its body was complete', { cause: error });
  }
  const only = chunks.length === 1 ? chunks[0] : undefined;
  return only ?? Buffer.concat(chunks);
}

/** A JSON object, as Docker's requests are. */
export type JsonObject = Record<string, unknown>;

/** Reads a JSON object; undefined when there is no body. Throws `invalid` with Docker's words, or `too-large`. */
export async function readJson(request: IncomingMessage): Promise<JsonObject | undefined> {
  const body = await readBody(request);
  if (body.length === 0) return undefined;
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new SwarmError('invalid', `Content-Type specified (${type}) must be 'application/json'`);
  }
  const value = parseJson(body.toString('utf8'));
  if (value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new SwarmError('invalid', 'invalid JSON: expected an object');
  }
  return value as JsonObject;
}

function parseJson(text: string): unknown {
  try {
    return parseExact(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unreadable';
    throw new SwarmError('invalid', `invalid JSON: ${why}`, { cause });
  }
}

function tooLarge(maxBytes: number): SwarmError {
  return new SwarmError('too-large', `the request body is larger than ${maxBytes} bytes`);
}
