import { pause } from '../../base/async.ts';
import { engineRefusal, type EngineAnswer } from '../../engine/index.ts';
import { askEngine, type AskOptions } from '../pool/ask-engine.ts';
import type { EngineNode } from '../pool/engine-node.ts';

const TRIES = 5;
const PAUSE_MS = 100;
const TROUBLE = /network is unreachable|cluster is unavailable|failed to get network from store|from store: /;
const LEFT_BEHIND = /endpoint with name (\S+) already exists in network (\S+?)\.?"/;

/**
 * Asks an engine what needs its cluster store, and again when it could not reach that. Engines with such a store (20.10)
 * fail so now and then with nothing wrong at the store: when one ends the last container of an overlay network it
 * leaves a thread of its own in the namespace of that network, and whatever that thread dials is unreachable.
 * A shared network that the asker `knows` counts as unreachable too when the engine says that there is none.
 */
export async function askSharing(
  node: EngineNode,
  path: string,
  options: AskOptions & { readonly knows?: boolean } = {},
): Promise<EngineAnswer> {
  const { knows, ...rest } = options;
  for (let left = TRIES; ; left -= 1) {
    const answer = await askEngine(node, path, rest);
    if (left <= 1 || !node.info?.clusterStore) return answer;
    if (!isTrouble(answer) && !(knows === true && answer.status === 404)) return answer;
    await pause(PAUSE_MS, options.signal ?? new AbortController().signal);
  }
}

/** `askSharing`, for what must succeed: throws the engine's words for any status but 2xx. */
export async function tellSharing(
  node: EngineNode,
  path: string,
  options: AskOptions & { readonly knows?: boolean } = {},
): Promise<EngineAnswer> {
  const answer = await askSharing(node, path, options);
  if (answer.status < 200 || answer.status > 299) throw engineRefusal(answer);
  return answer;
}

/**
 * Starts a container at an engine with a cluster store. A try that failed there may have left its endpoint behind, which
 * is then in the way of the next one, and taken away. Gives the first answer when the container was one for a single run.
 */
export async function startSharing(
  node: EngineNode,
  path: string,
  options: AskOptions,
): Promise<EngineAnswer> {
  const ask = (): Promise<EngineAnswer> => askEngine(node, path, { ...options, method: 'POST' });
  const first = await ask();
  let answer = first;
  let endpoint: RegExpExecArray | null = null;
  for (let left = TRIES; left > 1 && (isTrouble(answer) || endpoint); left -= 1) {
    if (endpoint) {
      const [, name = '', network = ''] = endpoint;
      const json = { Container: name, Force: true };
      const target = `/networks/${encodeURIComponent(network)}/disconnect`;
      await askSharing(node, target, { method: 'POST', json });
    }
    await pause(PAUSE_MS, options.signal ?? new AbortController().signal);
    answer = await ask();
    endpoint = answer.status >= 400 ? LEFT_BEHIND.exec(answer.body.toString('utf8')) : null;
  }
  return answer.status === 404 ? first : answer;
}

function isTrouble({ status, body }: EngineAnswer): boolean {
  return status >= 400 && TROUBLE.test(body.toString('utf8'));
}
