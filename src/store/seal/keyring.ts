import { newId } from '../../base/ids.ts';
import { SwarmError } from '../../base/errors.ts';
import type { Seal, SealStage } from '../../model/index.ts';
import type { Fresh } from '../types.ts';
import { DataKey } from './data-key.ts';
import { newUnlockKey } from './unlock-key.ts';

/** Unlock keys that are tried; the oldest goes. */
const MOST_OFFERED = 4;

/** A state that opens with an unlock key which was not given; the message is Docker's. */
export class LockedError extends SwarmError {
  constructor() {
    super(
      'no-manager',
      'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.',
    );
    this.name = 'LockedError';
  }
}

/** The keys of a sealed state; in memory alone. Once it has the data key, another unlock key changes nothing for it. */
export class Keyring {
  readonly #dataKeys = new Map<string, DataKey>();
  readonly #offered: Uint8Array[] = [];

  /** Gives a key that may open the state. */
  offer(unlockKey: Uint8Array): void {
    this.#offered.push(unlockKey);
    if (this.#offered.length > MOST_OFFERED) this.#offered.shift();
  }

  /** What it knows opens nothing any more. */
  forget(): void {
    this.#dataKeys.clear();
    this.#offered.length = 0;
  }

  /** Throws a LockedError where no key that was offered opens it. */
  dataKey({ id, dataKey }: Pick<Seal, 'id' | 'dataKey'>): DataKey {
    const known = this.#dataKeys.get(id);
    if (known) return known;
    for (const unlockKey of this.#offered) {
      try {
        const found = DataKey.unwrapped(unlockKey, dataKeyPlace(id), dataKey);
        this.#dataKeys.set(id, found);
        return found;
      } catch {
        // Another one may open it.
      }
    }
    throw new LockedError();
  }

  /** A lock with keys of its own; in force when it is committed. */
  newSeal(stage: SealStage): Fresh<'seal'> {
    const id = newId();
    const dataKey = DataKey.make();
    this.#dataKeys.set(id, dataKey);
    return { id, stage, renew: false, ...keysOf(id, dataKey, newUnlockKey()) };
  }

  /** The lock with another unlock key; the former one opens it no more when this is committed. */
  renewed(seal: Seal): Seal {
    return { ...seal, renew: false, ...keysOf(seal.id, this.dataKey(seal), newUnlockKey()) };
  }

  /** The key that opens it. */
  unlockKey(seal: Seal): Uint8Array {
    return this.dataKey(seal).open(unlockKeyPlace(seal.id), Buffer.from(seal.unlockKey, 'base64'));
  }
}

function keysOf(id: string, dataKey: DataKey, unlockKey: Uint8Array): Pick<Seal, 'dataKey' | 'unlockKey'> {
  return {
    dataKey: dataKey.wrapped(unlockKey, dataKeyPlace(id)),
    unlockKey: Buffer.from(dataKey.seal(unlockKeyPlace(id), unlockKey)).toString('base64'),
  };
}

const dataKeyPlace = (id: string): string => `data key ${id}`;
const unlockKeyPlace = (id: string): string => `unlock key ${id}`;
