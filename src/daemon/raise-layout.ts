import { Bell } from '../base/bell.ts';
import { messageOf } from '../base/errors.ts';
import type { EtcdStore, LoopContext, Presence } from '../store/index.ts';

export interface RaiseParts extends Pick<LoopContext, 'times' | 'log'> {
  readonly store: Pick<EtcdStore, 'view' | 'watch' | 'layout' | 'raise'>;
  readonly presence: Pick<Presence, 'others' | 'listen'>;
  /** This host's. */
  readonly nodeId: string;
  /** The newest layout that is read here. */
  readonly newest: number;
}

const RETRY_MS = 2_000;

/**
 * Raises the layout of the state, by the manager that leads, when every manager of the swarm is there and reads a newer one; until the
 * signal fires. A manager that is away is waited for: it may return with an older swarmd, and would be shut out.
 */
export async function raiseLayout(parts: RaiseParts, signal: AbortSignal): Promise<void> {
  const { store, presence, newest, times, log } = parts;
  const bell = new Bell();
  const ends = [
    presence.listen(() => bell.ring()),
    store.watch((events) => void (events.some(({ kind }) => kind === 'node') && bell.ring())),
  ];
  bell.ring();
  try {
    for (let said = ''; store.layout < newest && (await bell.heard(signal));) {
      const behind = outdatedManagers(parts);
      const words = behind.join();
      if (behind.length > 0 && words !== said)
        log.info(
          { managers: behind, layout: store.layout },
          'The layout of the state stays until these managers are upgraded',
        );
      said = words;
      if (behind.length > 0) continue;
      try {
        await store.raise();
        log.info({ layout: newest }, 'The layout of the state was raised: every manager reads it');
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: messageOf(error) }, 'The layout of the state could not be raised yet');
        await times.pause(RETRY_MS, signal);
        bell.ring();
      }
    }
  } finally {
    for (const end of ends) end();
  }
}

/** The other managers that are not there, or do not read the newest layout. */
function outdatedManagers({ store, presence, nodeId, newest }: RaiseParts): string[] {
  const ready = new Set(presence.others.filter(({ layout }) => layout >= newest).map((one) => one.nodeId));
  return [...store.view.all('node')]
    .filter(({ id, role }) => role === 'manager' && id !== nodeId && !ready.has(id))
    .map(({ id }) => id)
    .sort();
}
