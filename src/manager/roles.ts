import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import type { Node } from '../model/index.ts';
import type { LoopContext } from '../store/index.ts';
import { dismiss } from './dismiss.ts';

const RETRY_MS = 2_000;

/**
 * Makes workers of managers that are to be some, one after the other, until the signal fires. `release` takes what a manager keeps of
 * the store away from it, first; where it rejects, the node stays a manager, and it is tried again.
 */
export async function runRoles(
  { store, times, log }: LoopContext,
  release: (node: Node) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const bell = new Bell();
  const unwatch = store.watch((events) => {
    if (events.some((event) => event.kind === 'node' && isDemoted(event.object))) bell.ring();
  });
  bell.ring();
  try {
    while (await bell.heard(signal))
      for (const node of [...store.view.all('node')].filter(isDemoted))
        try {
          await release(node);
          await store.update((tx) => dismiss(tx, node.id));
          log.info({ node: node.id }, 'a manager became a worker');
        } catch (error) {
          if (signal.aborted) return;
          log.warn({ node: node.id, err: messageOf(error) }, 'a manager could not be made a worker yet');
          await times.pause(RETRY_MS, signal);
          bell.ring();
        }
  } finally {
    unwatch();
  }
}

function isDemoted({ role, spec }: Node): boolean {
  return role === 'manager' && spec.role === 'worker';
}
