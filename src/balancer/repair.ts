import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Due } from './enforcement.ts';
import type { Condition, PlaceRules } from './place-rules.ts';

const EVERY_MS = 1_000;
/**
 * Places, beside the host, that are looked at in one turn: all of them within a few turns, and never many at
 * once.
 */
const TURNS = 4;
const MOST_IN_A_TURN = 8;
/** An engine that stops takes addresses out of a namespace first, and removes it soon after: that was nobody else. */
const TELLING_TURNS = 3;
/** And one that begins goes on making a namespace in which there are rules already. */
const MAKING_TURNS = 10;

export interface Repairable {
  readonly places: ReadonlyMap<string, PlaceRules>;
  readonly inodeOf: (path: string) => Promise<number>;
  /** Called for a namespace that the engine has made anew. */
  readonly doubt: (path: string) => void;
  /** Asks for a round. */
  readonly wake: (due: Partial<Due>) => void;
}

/**
 * Looks again and again whether what was put into the kernel is still there, the host each time and the other
 * places in turn, and has what is gone made anew. A published port that was taken, and the engine's firewall,
 * are tried anew on the way.
 */
export async function keepRepaired(
  { places, inodeOf, doubt, wake }: Repairable,
  clock: Clock,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  let next = 0;
  /** Places from which something was taken, until it shows by whom. */
  const suspects = new Map<string, { readonly sandbox: PlaceRules['sandbox']; readonly turn: number }>();
  /** Since when each namespace is there. */
  const seen = new WeakMap<object, number>();
  for (let turn = 0; !signal.aborted; turn++) {
    await clock.pause(EVERY_MS, signal);
    if (signal.aborted) return;
    for (const { sandbox } of places.values()) if (sandbox && !seen.has(sandbox)) seen.set(sandbox, turn);
    for (const [key, { sandbox, turn: since }] of suspects) {
      if (key !== 'host' && turn - since < TELLING_TURNS) continue;
      suspects.delete(key);
      if (!sandbox || places.get(key)?.sandbox !== sandbox) continue;
      const isMade = key === 'host' || since - (seen.get(sandbox) ?? since) >= MAKING_TURNS;
      const isThere = key === 'host' || (await inodeOf(sandbox.path).catch(() => 0)) === sandbox.inode;
      if (isMade && isThere)
        log.warn({ place: key }, 'rules were taken away by somebody else; they are put back');
    }
    const others = [...places.keys()].filter((key) => key !== 'host');
    const count = Math.min(MOST_IN_A_TURN, Math.ceil(others.length / TURNS));
    const keys = Array.from({ length: count }, (_, at) => others[(next + at) % others.length] ?? '');
    next = others.length === 0 ? 0 : (next + count) % others.length;
    for (const key of ['host', ...keys]) {
      const place = places.get(key);
      const condition = place && (await conditionOf(place, inodeOf));
      if (!place || condition === 'intact') continue;
      if (condition === 'remade') {
        log.info({ place: key }, 'the engine has made a namespace anew; its rules are put there again');
        doubt(place.sandbox?.path ?? '');
      } else suspects.set(key, { sandbox: place.sandbox, turn });
      place.distrust();
      wake(condition === 'remade' ? { namespaces: true } : {});
    }
    if (turn % 2 === 0) wake({ firewall: true });
    if (turn % 3 === 0) wake({ ports: true });
  }
}

/** What can't be seen is not known to be gone; a namespace that is another by now is not looked at. */
async function conditionOf(place: PlaceRules, inodeOf: Repairable['inodeOf']): Promise<Condition> {
  const { path, inode } = place.sandbox ?? { path: '', inode: 0 };
  const isOther = async (): Promise<boolean> => path !== '' && (await inodeOf(path)) !== inode;
  try {
    if (await isOther()) return 'intact';
    const condition = await place.condition();
    // The engine takes a namespace apart before its file goes.
    return condition === 'intact' || (await isOther()) ? 'intact' : condition;
  } catch {
    return 'intact';
  }
}
