import type { Filter, PreparedFilter } from '../types.ts';

const HEALTHY: PreparedFilter = {
  name: 'health',
  conditions: [],
  check: (node) => node.healthy,
  explain: () => 'not healthy',
};

/** Only nodes that answer. */
export const health: Filter = { name: 'health', prepare: () => [HEALTHY] };
