import { familiarImageName, type PreparedFilter } from '../../scheduler/index.ts';
import type { Pool } from '../pool/pool.ts';

/**
 * Only nodes that have the image, where some have it and others lack it; undefined otherwise. What was built or
 * committed is on one node. To know that before an engine says 404 lets the networks of a Compose project go there,
 * and not where a container that can be anywhere would take them.
 */
export function imageWish(pool: Pool, image: string): PreparedFilter | undefined {
  const healthy = pool.healthy();
  for (const name of [`${image}:latest`, image].map(familiarImageName)) {
    const having = healthy.filter((node) => node.sched.imageReferences().has(name));
    if (having.length === 0) continue;
    if (having.length === healthy.length) return undefined;
    return {
      name: 'image',
      conditions: [],
      check: (place) => place.imageReferences().has(name),
      explain: () => `has no image ${image}`,
    };
  }
  return undefined;
}
