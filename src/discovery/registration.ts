import { SwarmError } from '../base/errors.ts';

/** For lists that a person keeps: nothing can be added to them from here. */
export async function notRegistrable(): Promise<void> {
  throw new SwarmError('unsupported', 'not implemented in this discovery service');
}
