import type { Times } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Store } from './types.ts';

/** What every loop of the manager works with. */
export interface LoopContext {
  readonly store: Store;
  readonly times: Times;
  readonly log: Logger;
}
