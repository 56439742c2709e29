import { pause } from '../../base/async.ts';
import { SwarmError, messageOf, type ErrorCode } from '../../base/errors.ts';
import { engineRefusal, type CallOptions, type EngineAnswer } from '../../engine/index.ts';
import type { EngineNode } from './engine-node.ts';
import type { Pool } from './pool.ts';

/** What came of the same work at several nodes. */
export interface Outcomes<T> {
  done: { node: EngineNode; value: T }[];
  failed: { node: EngineNode; error: SwarmError }[];
}

const WATCH_MS = 1_000;

/** Does a task at every node at the same time. Never rejects. */
export async function atEach<T>(
  nodes: readonly EngineNode[],
  task: (node: EngineNode) => Promise<T>,
): Promise<Outcomes<T>> {
  const outcomes: Outcomes<T> = { done: [], failed: [] };
  const results = await Promise.allSettled(nodes.map(task));
  results.forEach((result, i) => {
    const node = nodes[i];
    if (!node) return;
    if (result.status === 'fulfilled') outcomes.done.push({ node, value: result.value });
    else outcomes.failed.push({ node, error: asSwarmError(result.reason) });
  });
  return outcomes;
}

/** Calls an engine that may take long, for as long as it is healthy. Throws its own words for a status beyond 2xx. */
export async function callWhileHealthy(
  node: EngineNode,
  path: string,
  options: CallOptions & { signal: AbortSignal; timeoutMs: number },
): Promise<EngineAnswer> {
  const answer = await whileHealthy(node, options.signal, (signal) =>
    node.client.call(path, { ...options, signal }),
  );
  if (answer.status < 200 || answer.status > 299) throw engineRefusal(answer);
  return answer;
}

/**
 * Does work at a node that may take its time, for as long as the node is healthy. Throws `unavailable` when it stops
 * to be; a failure of the engine has its node looked at.
 */
export async function whileHealthy<T>(
  node: EngineNode,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const lost = new AbortController();
  const watch = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await pause(WATCH_MS, over.signal);
      if (!node.healthy) lost.abort(new Error('the node is not healthy'));
    }
  };
  const watching = watch();
  try {
    return await task(AbortSignal.any([signal, lost.signal]));
  } catch (error) {
    if (lost.signal.aborted) {
      const why = node.trouble === '' ? '' : `: ${node.trouble}`;
      throw new SwarmError('unavailable', `the node is ${node.state}${why}`, { cause: error });
    }
    if (isFailure(error) && !signal.aborted) node.suspect();
    throw error;
  } finally {
    over.abort();
    await watching;
  }
}

/** The healthy nodes. Throws `unavailable` when there are none. */
export function healthyNodes(pool: Pool): EngineNode[] {
  const nodes = pool.healthy();
  if (nodes.length === 0) throw new SwarmError('unavailable', 'No healthy node available in the cluster');
  return nodes;
}

/** One error for failures at several nodes, in the engines' words; the nodes are named where not all say the same. */
export function mergedFailure(failed: Outcomes<unknown>['failed']): SwarmError {
  const codes = failed.map(({ error }) => error.code);
  // Who has it and refuses knows more than who does not have it.
  const code: ErrorCode = codes.find((each) => each !== 'not-found') ?? 'not-found';
  const [first, ...others] = failed;
  const same = first && others.every(({ error }) => error.message === first.error.message);
  return new SwarmError(code, same ? first.error.message : failureText(failed));
}

/** Failures with the nodes they happened at: `core-01, core-03: no space left on device; core-02: …`. */
export function failureText(failed: Outcomes<unknown>['failed']): string {
  const byWords = new Map<string, string[]>();
  for (const { node, error } of failed) {
    byWords.set(error.message, [...(byWords.get(error.message) ?? []), node.name]);
  }
  return [...byWords].map(([words, names]) => `${names.join(', ')}: ${words}`).join('; ');
}

export function nodeNames(done: readonly { node: EngineNode }[]): string {
  return done.map(({ node }) => node.name).join(', ');
}

function isFailure(error: unknown): boolean {
  return error instanceof SwarmError && (error.code === 'unavailable' || error.code === 'timeout');
}

function asSwarmError(error: unknown): SwarmError {
  return error instanceof SwarmError ? error : new SwarmError('internal', messageOf(error), { cause: error });
}
