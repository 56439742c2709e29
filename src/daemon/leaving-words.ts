import { managersAmong } from '../model/index.ts';
import type { RunningSwarm } from './managed-swarm.ts';

/** Docker's words for a manager that is asked to leave without force. */
export const LAST_MANAGER =
  'You are attempting to leave the swarm on a node that is participating as a manager. ' +
  'Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. ';
export const ONE_OF_SEVERAL =
  'You are attempting to leave the swarm on a node that is participating as a manager. ' +
  'The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. ' +
  'Use `--force` to suppress this message.';
export const LOCKED =
  'Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.';

/** Docker's words, with what the others could do without this one. */
export function leavingOneOf({ state, store }: RunningSwarm): string {
  const managers = managersAmong(store.view.all('node'));
  let there = 0;
  for (const { id, role } of store.view.all('node')) if (role === 'manager' && state.isThere(id)) there += 1;
  if (!state.needsMajority || there - 1 > (managers - 1) / 2) return ONE_OF_SEVERAL;
  const left = `Removing this node leaves ${there - 1} managers out of ${managers}. Without a Raft quorum your swarm will be inaccessible. `;
  return ONE_OF_SEVERAL.replace('The only way', `${left}The only way`);
}
