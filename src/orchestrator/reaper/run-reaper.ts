import { Bell } from '../../base/bell.ts';
import type { LoopContext } from '../../store/index.ts';
import { runTurns } from '../turns.ts';
import { Reaper } from './reaper.ts';

/** What ends meanwhile is gathered, as long as in SwarmKit. */
const GATHER_MS = 250;

/**
 * Removes the rows of tasks that are to go and have ended, and those that are more than a place's history may have; calls orphaned
 * what a removed node had. Runs until the signal fires.
 */
export async function runReaper(context: LoopContext, signal: AbortSignal): Promise<void> {
  const bell = new Bell();
  const reaper = new Reaper(context);
  const unwatch = context.store.watch((events) => {
    if (reaper.see(events)) bell.ring();
  });
  const turns = {
    name: 'the reaper',
    lookAtEverything: () => reaper.lookAtEverything(),
    async turn() {
      await reaper.turn();
      await context.times.pause(GATHER_MS, signal);
    },
  };
  try {
    await runTurns(context, turns, bell, signal);
  } finally {
    unwatch();
  }
}
