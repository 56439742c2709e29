import { asObject, asString, asStringRecord } from '../../base/json.ts';
import { pause } from '../../base/async.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { swarmIdOf } from '../pool/reschedule-labels.ts';

const ASK_TIMEOUT_MS = 2_000;
/** How long an engine that is silent is waited for. */
const SILENT_MS = 10_000;
/** For how long after a silence what was sent into it may still arrive: TCP's pauses grow as long as that again. */
const ECHO_MS = 10_000;
const AGAIN_MS = 500;

/** A container as its engine tells of it. */
export interface Named {
  readonly id: string;
  readonly name: string;
  readonly swarmId: string;
}

/**
 * The container that an engine has under a name or an id, whatever the index says. `none`: it has none; `silent`: it
 * does not say.
 */
export async function askForName(node: EngineNode, reference: string): Promise<Named | 'none' | 'silent'> {
  try {
    const path = node.path(`/containers/${encodeURIComponent(reference)}/json`);
    const answer = await node.client.call(path, { timeoutMs: ASK_TIMEOUT_MS });
    if (answer.status === 404) return 'none';
    if (answer.status !== 200) return 'silent';
    const found = asObject(JSON.parse(answer.body.toString('utf8')) as unknown);
    const id = asString(found['Id']);
    const labels = asStringRecord(asObject(found['Config'])['Labels']);
    return { id, name: asString(found['Name']).replace(/^\//, ''), swarmId: swarmIdOf({ id, labels }) };
  } catch {
    // Its own loop deals with an engine that does not answer.
    return 'silent';
  }
}

/**
 * `askForName`, where another manager may have sent the engine a create for the name a moment ago, and nobody heard
 * what became of it: an engine that is silent is waited for, and one that was is not believed at once that it has none.
 */
export async function askSurely(
  node: EngineNode,
  name: string,
  signal: AbortSignal,
): Promise<Named | 'none' | 'silent'> {
  const sinceMs = node.silentSinceMs ?? performance.now();
  if (node.lost && performance.now() - sinceMs > SILENT_MS) return 'silent';
  let silentMs = node.silentSinceMs === undefined ? node.heardAgainMs : performance.now();
  for (;;) {
    const seen = await askForName(node, name);
    const nowMs = performance.now();
    if (seen === 'silent') {
      silentMs = nowMs;
      if (nowMs - sinceMs > SILENT_MS) return seen;
    } else if (seen !== 'none' || nowMs - silentMs > ECHO_MS || nowMs - sinceMs > SILENT_MS + ECHO_MS) {
      return seen;
    }
    if (signal.aborted || node.state === 'Disconnected') return seen;
    await pause(AGAIN_MS, signal);
  }
}
