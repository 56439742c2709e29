import type { Filter, PreparedFilter } from '../types.ts';

const FREE_SLOT: PreparedFilter = {
  name: 'containerslots',
  conditions: ['available container slots'],
  check: (node) => node.slots === undefined || node.containerCount < node.slots,
  explain: (node) => `no container slot free of ${node.slots}`,
};

/** Only nodes with fewer containers than their label `containerslots` allows. */
export const containerSlots: Filter = { name: 'containerslots', prepare: () => [FREE_SLOT] };
