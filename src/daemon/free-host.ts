import { setTimeout as sleep } from 'node:timers/promises';
import { SwarmError } from '../base/errors.ts';
import { LockedError } from '../store/index.ts';
import { engineSwarm } from './engine-swarm.ts';
import type { LocalEngine } from './local-engine.ts';
import type { StateFolder } from './state-folder.ts';
import type { States } from './states.ts';

/** Docker's words where a node is in a swarm already. */
export const IN_A_SWARM =
  'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.';
/** How long an engine may still be about to leave a swarm or to begin: it says so for a moment only. */
const SETTLE_TRIES = 10;
const SETTLE_MS = 200;

interface Host {
  readonly engine: LocalEngine;
  readonly folder: StateFolder;
  readonly states: States;
}

/** An engine that belongs elsewhere is left alone, and a state that is there is not overwritten. Throws in words for the user. */
export async function requireFreeHost({ engine, folder, states }: Host): Promise<void> {
  await requireFreeEngine(engine);
  // What begins anew erases what is there; a backup may have been put there since the start.
  if (states.hasOwn && (await holdsSwarm(states)))
    throw new SwarmError(
      'conflict',
      `the state of a swarm is in '${folder.path}': restart swarmd to go on with it`,
    );
}

async function requireFreeEngine(engine: LocalEngine): Promise<void> {
  for (let left = SETTLE_TRIES; ; left -= 1) {
    const { state } = await engineSwarm(engine);
    if (state === 'inactive') return;
    if (left === 0 || state !== 'pending') throw new SwarmError('no-manager', IN_A_SWARM);
    await sleep(SETTLE_MS);
  }
}

async function holdsSwarm(states: States): Promise<boolean> {
  try {
    const state = await states.open();
    const isSwarm = state.store.view.cluster() !== undefined;
    await state.close();
    return isSwarm;
  } catch (error) {
    if (error instanceof LockedError) return true;
    throw error;
  }
}
