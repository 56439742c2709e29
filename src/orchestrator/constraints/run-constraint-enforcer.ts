import { Bell } from '../../base/bell.ts';
import type { LoopContext } from '../../store/index.ts';
import { runTurns } from '../turns.ts';
import { Enforcer } from './enforcer.ts';

/**
 * When a node changes, takes from it the tasks that it no longer suits: their constraints, platform or reservations. They are
 * rejected, and the orchestrator puts others in their places. Runs until the signal fires.
 */
export async function runConstraintEnforcer(context: LoopContext, signal: AbortSignal): Promise<void> {
  const bell = new Bell();
  const enforcer = new Enforcer(context);
  const unwatch = context.store.watch((events) => {
    if (enforcer.see(events)) bell.ring();
  });
  try {
    await runTurns(context, enforcer, bell, signal);
  } finally {
    unwatch();
  }
}
