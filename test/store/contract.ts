import { batches } from './contract-batches.ts';
import { lasting } from './contract-lasting.ts';
import { limits } from './contract-limits.ts';
import { updates } from './contract-updates.ts';
import type { Place } from './place.ts';
import { randomOperations } from './random-operations.ts';

/** What every store does, wherever it keeps its state. `place` makes an empty one for each test. */
export function storeContract(place: () => Place): void {
  updates(place);
  limits(place);
  batches(place);
  lasting(place);
  randomOperations(place);
}
