import { SwarmError } from '../../base/errors.ts';
import type { EngineNode } from '../pool/engine-node.ts';
import type { Pool } from '../pool/pool.ts';

/**
 * The one engine that does the BuildKit builds. A build is several connections (/session, /grpc, /build) that must
 * meet at one engine, and its cache is worth most where the last build was: so the choice stays while it is healthy.
 */
export class BuildSessions {
  readonly #pool: Pool;
  #chosen: EngineNode | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Throws `unavailable` when no engine is healthy. */
  builder(): EngineNode {
    if (this.#chosen?.healthy) return this.#chosen;
    // Other managers that get some of these connections choose the same one.
    const [newest] = this.#pool
      .healthy()
      .sort((a, b) => (b.info?.apiMinor ?? 0) - (a.info?.apiMinor ?? 0) || (a.id < b.id ? -1 : 1));
    if (!newest) throw new SwarmError('unavailable', 'No healthy node available in the cluster');
    this.#chosen = newest;
    return newest;
  }
}
