import { asObject, asString, asStringRecord } from '../../base/json.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import { swarmIdOf } from '../pool/reschedule-labels.ts';

const ASK_TIMEOUT_MS = 2_000;

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
