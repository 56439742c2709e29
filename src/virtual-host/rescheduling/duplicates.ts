import { backoffMs } from '../../base/async.ts';
import { messageOf, SwarmError } from '../../base/errors.ts';
import { engineRefusal } from '../../engine/index.ts';
import type { Context } from '../context.ts';
import { askEngine } from '../pool/ask-engine.ts';
import type { Container } from '../pool/container.ts';
import { swarmIdOf } from '../pool/reschedule-labels.ts';
import { removeLeftNetworks } from './follow-networks.ts';

const REMOVE_TIMEOUT_MS = 60_000;
const FIRST_AGAIN_MS = 1_000;
const LAST_AGAIN_MS = 60_000;

/**
 * Removes the containers of which a copy elsewhere has taken the place, once their engine answers again. Their volumes
 * stay: the data that was left behind is in them.
 */
export class Duplicates {
  readonly #context: Context;
  /** What could not be removed: how often it was tried, and when it is tried next. */
  readonly #again = new Map<string, { tries: number; dueMs: number }>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Whether there is something to remove, now or later. */
  get pending(): boolean {
    return this.#context.pool.healthy().some(({ inventory }) => inventory.replaced.size > 0);
  }

  /** Removes what is due; `spare` tells by swarm id what is just being made again. Throws nothing. */
  async remove(leads: () => boolean, spare: (swarmId: string) => boolean): Promise<void> {
    const { pool, config } = this.#context;
    for (const node of pool.healthy()) {
      const found = [...node.inventory.replaced.values()];
      if (found.length === 0) continue;
      for (const container of found) {
        const due = this.#again.get(container.id)?.dueMs ?? -Infinity;
        if (performance.now() < due || spare(swarmIdOf(container)) || !leads()) continue;
        // What counts now may be another one than when it was put aside.
        if (pool.index.copies.counting(container) === container) continue;
        await this.#removeOne(container);
      }
      await removeLeftNetworks(this.#context, node).catch((error: unknown) => {
        config.log.debug({ node: node.name, err: messageOf(error) }, 'Left networks could not be removed');
      });
    }
  }

  async #removeOne(container: Container): Promise<void> {
    const { pool, config } = this.#context;
    const { id, name, node } = container;
    const at = pool.index.copies.counting(container)?.node.name;
    try {
      const path = `/containers/${id}?force=1`;
      const answer = await askEngine(node, path, { method: 'DELETE', timeoutMs: REMOVE_TIMEOUT_MS });
      if (answer.status !== 204 && answer.status !== 404) throw engineRefusal(answer);
      node.inventory.remove(id);
      this.#again.delete(id);
      if (answer.status === 204)
        config.log.info({ name, id, node: node.name, at }, 'Removed duplicate container');
    } catch (error) {
      const tries = (this.#again.get(id)?.tries ?? 0) + 1;
      const waitMs = backoffMs(tries - 1, FIRST_AGAIN_MS, LAST_AGAIN_MS, Math.random);
      this.#again.set(id, { tries, dueMs: performance.now() + waitMs });
      const err = error instanceof SwarmError ? error.message : messageOf(error);
      config.log.warn({ name, id, node: node.name, err }, 'Duplicate container could not be removed');
    }
  }
}
