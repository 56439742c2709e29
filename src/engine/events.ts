import { StringDecoder } from 'node:string_decoder';
import { SwarmError } from '../base/errors.ts';
import type { EngineClient } from './client.ts';

/** One event as an engine tells it; only what is decided with is named, the rest travels along. */
export interface EngineEvent {
  Type?: string;
  Action?: string;
  Actor?: { ID?: string; Attributes?: Record<string, string> };
  status?: string;
  id?: string;
  from?: string;
  scope?: string;
  time?: number;
  timeNano?: number;
  [key: string]: unknown;
}

const LINE_MAX_CHARS = 1024 * 1024;

/**
 * Follows an event stream, one event at a time. `onOpen` is called when the engine has accepted, and so from when on
 * nothing is missed. Ends when the engine ends the stream, throws `unavailable` when the connection or a line breaks.
 */
export async function* followEvents(
  engine: EngineClient,
  path: string,
  options: { signal: AbortSignal; onOpen?: () => void },
): AsyncGenerator<EngineEvent> {
  const answer = await engine.dispatcher
    .request({ path, method: 'GET', signal: options.signal })
    .catch((error: unknown) => {
      throw engine.failure(error, false);
    });
  if (answer.statusCode !== 200) {
    await answer.body.dump();
    throw new SwarmError('unavailable', `engine ${engine.address.text} refused its events: status ${answer.statusCode}`);
  }
  options.onOpen?.();
  try {
    yield* jsonLines(answer.body as AsyncIterable<Buffer>, engine);
  } catch (error) {
    throw engine.failure(error, false);
  } finally {
    answer.body.destroy();
  }
}

async function* jsonLines(chunks: AsyncIterable<Buffer>, engine: EngineClient): AsyncGenerator<EngineEvent> {
  const decoder = new StringDecoder('utf8');
  let pending = '';
  for await (const chunk of chunks) {
    pending += decoder.write(chunk);
    let from = 0;
    for (let end = pending.indexOf('\n', from); end >= 0; end = pending.indexOf('\n', from)) {
      const line = pending.slice(from, end).trim();
      from = end + 1;
      if (line !== '') yield parseEvent(line, engine);
    }
    pending = pending.slice(from);
    if (pending.length > LINE_MAX_CHARS) throw garbage(engine);
  }
}

function parseEvent(line: string, engine: EngineClient): EngineEvent {
  try {
    const value = JSON.parse(line) as unknown;
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as EngineEvent;
  } catch {
    // Told below.
  }
  throw garbage(engine);
}

function garbage(engine: EngineClient): SwarmError {
  return new SwarmError('unavailable', `engine ${engine.address.text} sent an event that is not JSON`);
}
