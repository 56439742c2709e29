import { engineRefusal, type CallOptions, type EngineAnswer } from '../../engine/index.ts';
import type { ApiCall, ApiMinor } from '../../docker-api/index.ts';
import type { EngineNode } from './engine-node.ts';

export interface AskOptions extends CallOptions {
  /** The version of the client on whose behalf it is; the engine's highest when not given. */
  minor?: ApiMinor;
}

/**
 * Sends a request to a node's engine and reads the whole answer, whatever its status; `path` is encoded and without
 * version. Throws `unavailable` or `timeout`, and has the node looked at then.
 */
export async function askEngine(
  node: EngineNode,
  path: string,
  options: AskOptions = {},
): Promise<EngineAnswer> {
  const { minor, ...rest } = options;
  try {
    return await node.client.call(node.path(path, minor), rest);
  } catch (error) {
    if (!options.signal?.aborted) node.suspect();
    throw error;
  }
}

/** `askEngine`, for what must succeed: throws the engine's words for any status but 2xx. */
export async function tellEngine(
  node: EngineNode,
  path: string,
  options: AskOptions = {},
): Promise<EngineAnswer> {
  const answer = await askEngine(node, path, options);
  if (answer.status < 200 || answer.status > 299) throw engineRefusal(answer);
  return answer;
}

/** Gives an engine's answer to the client as it is. */
export function forward(call: ApiCall, answer: EngineAnswer): void {
  if (answer.body.length === 0) call.empty(answer.status);
  else call.body(answer.status, 'application/json', answer.body);
}
