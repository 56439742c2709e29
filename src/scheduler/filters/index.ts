import type { Filter, FilterName } from '../types.ts';
import { affinity } from './affinity.ts';
import { constraint } from './constraint.ts';
import { containerSlots } from './container-slots.ts';
import { dependency } from './dependency.ts';
import { health } from './health.ts';
import { port } from './port.ts';
import { whitelist } from './whitelist.ts';

export const FILTERS: Readonly<Record<FilterName, Filter>> = {
  health,
  port,
  containerslots: containerSlots,
  dependency,
  affinity,
  constraint,
  whitelist,
};
