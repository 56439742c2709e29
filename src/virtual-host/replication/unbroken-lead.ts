import { SwarmError } from '../../base/errors.ts';
import type { Leadership } from './leadership.ts';

/** Watches over one piece of work that only the primary may do. */
export interface UnbrokenLead {
  /** Whether this manager has led without a break since the work began. */
  holds(): boolean;
  /** Throws `unavailable` when it has not. */
  demand(): void;
  end(): void;
}

/** Begins to watch. Who has lost the lead and won it back in between has not led without a break. */
export function unbrokenLead(leadership: Leadership): UnbrokenLead {
  let broken = false;
  const look = (): void => {
    if (!leadership.leads()) broken = true;
  };
  look();
  const end = leadership.listen(look);
  const holds = (): boolean => {
    look();
    return !broken;
  };
  return {
    holds,
    demand() {
      if (!holds())
        throw new SwarmError('unavailable', 'This manager is not the primary any more: try again');
    },
    end,
  };
}
