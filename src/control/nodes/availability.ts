import { SwarmError } from '../../base/errors.ts';
import type { Availability } from '../../model/index.ts';

const AVAILABILITIES = ['active', 'pause', 'drain'] as const;

/** Reads an availability. Throws `invalid` in Docker's words. */
export function readAvailability(text: string): Availability {
  const found = AVAILABILITIES.find((one) => one === text.toLowerCase());
  if (found) return found;
  throw new SwarmError('invalid', `invalid Availability: ${JSON.stringify(text)}`);
}
