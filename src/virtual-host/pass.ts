import { SwarmError } from '../base/errors.ts';
import { relay, relayHijacked, relayedBody, relayedHeaders } from '../engine/index.ts';
import type { ApiCall } from '../docker-api/index.ts';
import type { EngineNode } from './pool/engine-node.ts';

export interface PassOptions {
  /** JSON instead of the client's body; null for none. */
  body?: string | null;
  /** Instead of the client's query, with its question mark. */
  search?: string;
  method?: string;
}

/**
 * Passes a call on to an engine, at `path` (encoded, without version) and in the version nearest to the client's,
 * streams and upgrades included, for as long as the node is not lost. Resolves with the engine's status; 101 for a connection that left HTTP.
 */
export async function pass(
  call: ApiCall,
  node: EngineNode,
  path: string,
  options: PassOptions = {},
): Promise<number> {
  const target = node.path(path, call.minor) + (options.search ?? call.search);
  try {
    if (call.hijack) {
      const { socket, head } = call.hijack;
      call.res.detachSocket(call.req.socket);
      await relayHijacked(
        node.client,
        { method: call.method, rawHeaders: call.req.rawHeaders, head, socket },
        target,
        node.gone,
      );
      return 101;
    }
    const headers = relayedHeaders(call.req.headers);
    const replaced = options.body !== undefined;
    if (replaced) {
      delete headers['content-length'];
      if (options.body !== null) headers['content-type'] = 'application/json';
    }
    const body = replaced ? options.body : relayedBody(call.req);
    const request = { method: options.method ?? call.method, path: target, headers, body: body ?? null };
    const status = await relay(node.client, request, call.res, { lost: node.gone });
    // An engine that refuses an upload does not read it all.
    call.dropUpload();
    return status;
  } catch (error) {
    if (call.hijack) call.res.assignSocket(call.req.socket);
    if (error instanceof SwarmError && (error.code === 'unavailable' || error.code === 'timeout'))
      node.suspect();
    throw error;
  }
}
