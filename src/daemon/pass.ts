import { SwarmError } from '../base/errors.ts';
import type { ApiCall } from '../docker-api/index.ts';
import { relay, relayHijacked, relayedBody, relayedHeaders } from '../engine/index.ts';
import type { LocalEngine } from './local-engine.ts';

/**
 * Passes a call on to the engine as the client made it: path, version, streams and upgrades included. Never rejects
 * with what a client could not understand: an engine that is not there is told of in Docker's words, or in `down`.
 */
export async function pass(
  call: ApiCall,
  engine: LocalEngine,
  target: string,
  down = engineDown(engine),
): Promise<void> {
  try {
    if (call.hijack) {
      const { socket, head } = call.hijack;
      call.res.detachSocket(call.req.socket);
      await relayHijacked(
        engine.client,
        { method: call.method, rawHeaders: call.req.rawHeaders, head, socket },
        target,
      );
      return;
    }
    const headers = relayedHeaders(call.req.headers);
    const request = { method: call.method, path: target, headers, body: relayedBody(call.req) };
    await relay(engine.client, request, call.res);
    // An engine that refuses an upload does not read it all.
    call.dropUpload();
  } catch (error) {
    if (call.hijack) call.res.assignSocket(call.req.socket);
    if (!(error instanceof SwarmError) || (error.code !== 'unavailable' && error.code !== 'timeout'))
      throw error;
    engine.forget();
    call.refuse(503, down);
  }
}

/** What Docker's client says where it finds no engine. */
export function engineDown(engine: LocalEngine): string {
  return `Cannot connect to the Docker daemon at ${engine.where}. Is the docker daemon running?`;
}
