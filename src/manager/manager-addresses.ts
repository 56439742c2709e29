import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import { isHostPort } from '../base/host-port.ts';
import type { LoopContext } from '../store/index.ts';

/** A manager as it shows itself. */
export interface ShownManager {
  readonly nodeId: string;
  /** `host:port` of its port for agents and managers. */
  readonly addr: string;
}

/** The managers that are there, as far as this one knows. */
export interface ShownManagers {
  /** This one included. */
  readonly all: () => readonly ShownManager[];
  /** Calls back after each change. Returns what ends it. */
  readonly listen: (listener: () => void) => () => void;
}

const RETRY_MS = 5_000;

/** For the manager that leads: has managers' rows say the addresses at which they are now, until the signal fires. */
export async function runManagerAddresses(
  { store, times, log }: LoopContext,
  there: ShownManagers,
  signal: AbortSignal,
): Promise<void> {
  const bell = new Bell();
  const unlisten = there.listen(() => bell.ring());
  bell.ring();
  const isMoved = ({ nodeId, addr }: ShownManager): boolean => {
    const node = store.view.get('node', nodeId);
    return node?.role === 'manager' && node.managerAddr !== addr && isHostPort(addr);
  };
  try {
    while (await bell.heard(signal))
      for (const { nodeId, addr } of there.all().filter(isMoved))
        try {
          await store.update((tx) => {
            const node = tx.get('node', nodeId);
            if (node?.role === 'manager') tx.update('node', { ...node, managerAddr: addr });
          });
          log.info({ node: nodeId, addr }, 'a manager has another address');
        } catch (error) {
          if (signal.aborted) return;
          log.warn(
            { node: nodeId, err: messageOf(error) },
            'The address of a manager could not be noted yet',
          );
          await times.pause(RETRY_MS, signal);
          bell.ring();
        }
  } finally {
    unlisten();
  }
}
