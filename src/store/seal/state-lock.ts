import { Bell } from '../../base/bell.ts';
import { KINDS, type Seal } from '../../model/index.ts';
import type { Held } from '../held.ts';
import type { Tx, View } from '../types.ts';
import type { RowNow } from '../work.ts';
import { unlockKeyText } from './unlock-key.ts';

/** What a lock works on. */
export interface LockParts {
  readonly held: Held;
  readonly update: <T>(change: (tx: Tx) => T) => Promise<T>;
  /** Writes rows once more as they are. */
  readonly again: (rows: readonly RowNow[]) => Promise<void>;
  /** Removes what is left, where the state is kept, of what was overwritten. */
  readonly scrub: () => Promise<void>;
}

/**
 * The lock of the state at rest (Docker's autolock). What the cluster's spec says of it is followed in steps, each of which can be
 * repeated: an unlock key is made when it is first told, so that nobody is locked out by a key that nobody was told; all rows are
 * sealed then; while a lock is taken off it stays in force until the last row is plain.
 */
export class StateLock {
  readonly #parts: LockParts;

  constructor(parts: LockParts) {
    this.#parts = parts;
  }

  /** Whether all rows are as they are to be, and nothing is left of before. */
  get isSettled(): boolean {
    const seal = sealOf(this.#parts.held.tables);
    return !seal || seal.stage === 'sealed';
  }

  /** Locks a state from its first row on; within the update that makes the cluster. */
  begin(tx: Tx): void {
    tx.create('seal', this.#parts.held.keyring.newSeal('sealed'));
  }

  /** What a new spec of the cluster means to the lock; within the update that writes it. */
  follow(tx: Tx, { on, renew }: { readonly on: boolean; readonly renew: boolean }): void {
    const seal = sealOf(tx);
    if (!seal) return;
    if (!on) {
      if (seal.stage !== 'opening') tx.update('seal', { ...seal, stage: 'opening', renew: false });
    } else if (seal.stage === 'opening' || renew) {
      tx.update('seal', { ...seal, stage: seal.stage === 'opening' ? 'sealing' : seal.stage, renew });
    }
  }

  /**
   * The unlock key as people are shown it; '' where none is needed. One that is owed, because a lock was asked for or a new key,
   * is made now, and is the only one that opens the state when this resolves. Rejects as `update` does.
   */
  async unlockKey(): Promise<string> {
    const { held, update } = this.#parts;
    if (isOwed(held.tables)) await update((tx) => this.#makeOwed(tx));
    return this.keyInForce;
  }

  /** The key that opens the state now, for another manager; '' where none is needed. */
  get keyInForce(): string {
    const { tables, keyring } = this.#parts.held;
    const seal = sealOf(tables);
    return seal ? unlockKeyText(keyring.unlockKey(seal)) : '';
  }

  /** Resolves when it is settled, or the signal fires. */
  async settled(signal: AbortSignal): Promise<void> {
    const moved = new Bell();
    const end = this.onSeal(() => moved.ring());
    while (!this.isSettled && (await moved.heard(signal)));
    end();
  }

  /** Calls back after every change of the seal. Returns what ends it. */
  onSeal(listener: () => void): () => void {
    return this.#parts.held.watch((events) => {
      if (events.some(({ kind }) => kind === 'seal')) listener();
    });
  }

  /** Does what is next until it is settled; by whoever writes the state. Rejects where a step fails: it is to be taken again. */
  async settle(): Promise<void> {
    for (let seal = this.#pending(); seal; seal = this.#pending()) await this.#step(seal);
  }

  async #step(seal: Seal): Promise<void> {
    const { update, scrub } = this.#parts;
    const { stage } = seal;
    if (stage === 'cleaning') await scrub();
    else await this.#writeAll();
    await update((tx) => {
      const now = tx.get('seal', seal.id);
      // Somebody has wanted it otherwise meanwhile.
      if (now?.meta.version !== seal.meta.version) return;
      if (stage === 'opening') tx.remove('seal', seal.id);
      else tx.update('seal', { ...now, stage: stage === 'sealing' ? 'cleaning' : 'sealed' });
    });
  }

  #makeOwed(tx: Tx): void {
    if (!isOwed(tx)) return;
    const { keyring } = this.#parts.held;
    const seal = sealOf(tx);
    if (!seal) tx.create('seal', keyring.newSeal('sealing'));
    else {
      const stage = seal.stage === 'sealed' ? 'cleaning' : seal.stage;
      tx.update('seal', { ...keyring.renewed(seal), stage });
    }
  }

  #pending(): Seal | undefined {
    return this.isSettled ? undefined : sealOf(this.#parts.held.tables);
  }

  /** Writes every row as it is to be kept now. Rows that nobody needs go: they would stay as they were. */
  async #writeAll(): Promise<void> {
    const { held, again } = this.#parts;
    const { tables } = held;
    const rows: RowNow[] = [];
    for (const key of held.codec.specKeys()) rows.push(() => held.codec.specAgain(key));
    for (const kind of KINDS)
      for (const { id } of tables.all(kind))
        rows.push(() => {
          const object = tables.get(kind, id);
          return object && held.codec.rowAgain(kind, object);
        });
    await again(rows);
    // Every commit takes some of them.
    const seal = sealOf(tables);
    while (seal && held.litter.length > 0) await again([() => held.codec.rowAgain('seal', seal)]);
  }
}

/** Whether a key was asked for and not told yet. */
function isOwed(view: View): boolean {
  const seal = sealOf(view);
  return view.cluster()?.spec.autoLockManagers === true && (!seal || seal.renew);
}

function sealOf(view: View): Seal | undefined {
  for (const seal of view.all('seal')) return seal;
  return undefined;
}
