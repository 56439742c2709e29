import { SwarmError } from '../../base/errors.ts';
import { jsonLines } from '../../base/json-lines.ts';
import { asObject, asString, type Json } from '../../base/json.ts';
import { engineRefusal, openStream, readRefusal, type RelayRequest } from '../../engine/index.ts';
import { whileHealthy } from '../pool/each-node.ts';
import type { EngineNode } from '../pool/engine-node.ts';

export interface ProgressCall {
  request: RelayRequest;
  signal: AbortSignal;
  /** The engine has accepted. */
  onOpen?: (() => void) | undefined;
  onMessage: (message: Json) => void;
}

/**
 * Makes a call that an engine answers with its progress, and follows it to its end, for as long as the node is
 * healthy. Throws the engine's words when it refuses, or ends its progress with an error.
 */
export async function followProgress(node: EngineNode, call: ProgressCall): Promise<void> {
  await whileHealthy(node, call.signal, async (signal) => {
    const answer = await openStream(node.client, call.request, signal);
    if (answer.status !== 200) throw engineRefusal(await readRefusal(node.client, answer));
    call.onOpen?.();
    try {
      for await (const message of jsonLines(answer.body as AsyncIterable<Buffer>, () => notJson(node))) {
        failOnError(message);
        call.onMessage(message);
      }
    } catch (error) {
      throw node.client.failure(error, false);
    } finally {
      answer.body.destroy();
    }
  });
}

function failOnError(message: Json): void {
  if (message['error'] === undefined && message['errorDetail'] === undefined) return;
  const words = asString(asObject(message['errorDetail'])['message']) || asString(message['error']);
  throw new SwarmError('internal', words || 'the engine failed without saying why');
}

function notJson(node: EngineNode): SwarmError {
  return new SwarmError('unavailable', `engine ${node.address.text} sent progress that is not JSON`);
}
