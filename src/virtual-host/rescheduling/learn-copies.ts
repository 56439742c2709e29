import { eachLimited } from '../../base/async.ts';
import { asArray, asObject, asString, asStringRecord } from '../../base/json.ts';
import type { Pool } from '../pool/pool.ts';
import { POLICIES_LABEL, swarmIdOf } from '../pool/reschedule-labels.ts';

const ASKED_AT_ONCE = 32;
const ASK_TIMEOUT_MS = 2_000;

/**
 * Asks the engines for containers with these swarm ids that the index does not know yet: another manager may have made
 * them a moment ago. Resolves when the index has them.
 */
export async function learnCopies(pool: Pool, swarmIds: ReadonlySet<string>): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: [POLICIES_LABEL] }));
  await eachLimited(pool.healthy(), ASKED_AT_ONCE, async (node) => {
    const path = node.path(`/containers/json?all=1&filters=${filters}`);
    try {
      for (const entry of asArray(await node.client.json(path, { timeoutMs: ASK_TIMEOUT_MS }))) {
        const { Id, Labels } = asObject(entry);
        const found = { id: asString(Id), labels: asStringRecord(Labels) };
        if (!swarmIds.has(swarmIdOf(found)) || node.inventory.known(found.id)) continue;
        node.inventory.markContainer(found.id);
      }
    } catch {
      // Its own loop deals with an engine that does not answer; what it had is in the index.
    }
  });
  await pool.settle();
}
