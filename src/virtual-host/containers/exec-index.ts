import { SwarmError } from '../../base/errors.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import type { Pool } from '../pool/pool.ts';

const MAX_KNOWN = 20_000;
const ASK_TIMEOUT_MS = 2_000;

/** Where the execs are. Those that another manager made are asked for at the engines. */
export class ExecIndex {
  readonly #pool: Pool;
  readonly #known = new Map<string, EngineNode>();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Remembers where an exec was made. The oldest are forgotten, and asked for again when needed. */
  put(id: string, node: EngineNode): void {
    this.#known.set(id, node);
    if (this.#known.size <= MAX_KNOWN) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      break;
    }
  }

  /** The node of an exec. Throws `not-found` in Docker's words, `unavailable` when that node is not healthy. */
  async locate(id: string): Promise<EngineNode> {
    const known = this.#known.get(id);
    if (known && known.state !== 'Disconnected') {
      if (known.healthy) return known;
      throw new SwarmError('unavailable', `Exec ${id} running on unhealthy node ${known.name}`);
    }
    const path = `/exec/${encodeURIComponent(id)}/json`;
    const found = await Promise.all(
      this.#pool.healthy().map(async (node) => {
        const answer = await node.client
          .call(node.path(path), { timeoutMs: ASK_TIMEOUT_MS })
          .catch(() => undefined);
        return answer?.status === 200 ? node : undefined;
      }),
    );
    const node = found.find((each) => each !== undefined);
    if (!node) throw new SwarmError('not-found', `No such exec instance: ${id}`);
    this.put(id, node);
    return node;
  }
}
