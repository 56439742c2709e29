import type { CommitPlan } from './commit-plan.ts';
import type { RowWrite, Tx } from './types.ts';

/** How much of it went in: nothing more is left of what is `whole`. */
export type Filled = 'whole' | 'part' | 'nothing';

/** Something that waits to be committed, in one commit or in several. */
export interface Work {
  /** Puts as much as fits into the next commit. Never throws. */
  fill(plan: CommitPlan): Filled;
  /** What it put into the commit lasts. */
  committed(): void;
  /** It does not last, and nothing more is tried. */
  failed(error: unknown): void;
}

export class UpdateWork<T> implements Work {
  readonly #change: (tx: Tx) => T;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  #done: { readonly value: T } | undefined;

  constructor(change: (tx: Tx) => T, resolve: (value: T) => void, reject: (error: unknown) => void) {
    this.#change = change;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  fill(plan: CommitPlan): Filled {
    try {
      this.#done = plan.run(this.#change, undefined);
      return this.#done ? 'whole' : 'nothing';
    } catch (error) {
      this.#reject(error);
      return 'whole';
    }
  }

  committed(): void {
    if (this.#done) this.#resolve(this.#done.value);
  }

  failed(error: unknown): void {
    this.#reject(error);
  }
}

/** Many items, each an update of its own; ends with the first that fails. */
export class BatchWork<T> implements Work {
  readonly #items: Iterator<T>;
  readonly #change: (tx: Tx, item: T) => void;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  /** Taken from the items, and not committed yet. */
  #next: IteratorResult<T> | undefined;
  #over = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    items: Iterable<T>,
    change: (tx: Tx, item: T) => void,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#items = items[Symbol.iterator]();
    this.#change = change;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  fill(plan: CommitPlan): Filled {
    let filled: Filled = 'nothing';
    try {
      for (;;) {
        this.#next ??= this.#items.next();
        if (this.#next.done) break;
        if (!plan.run(this.#change, this.#next.value)) return filled;
        this.#next = undefined;
        filled = 'part';
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#over = true;
    return 'whole';
  }

  committed(): void {
    if (!this.#over) return;
    if (this.#failure) this.#reject(this.#failure.error);
    else this.#resolve();
    this.#close();
  }

  failed(error: unknown): void {
    this.#over = true;
    this.#reject(error);
    this.#close();
  }

  /** Lets a generator end that was not walked to its end. */
  #close(): void {
    if (this.#next?.done) return;
    try {
      this.#items.return?.();
    } catch {
      // It failed already, or does not matter any more.
    }
  }
}

/** Gives a row as it is when its turn comes; undefined when it is gone by then. */
export type RowNow = () => RowWrite | undefined;

/** Writes rows once more as they are, in as many commits as it takes; nothing changes but how they are kept. */
export class AgainWork implements Work {
  readonly #rows: readonly RowNow[];
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  #done = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(rows: readonly RowNow[], resolve: () => void, reject: (error: unknown) => void) {
    this.#rows = rows;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  fill(plan: CommitPlan): Filled {
    const first = this.#done;
    try {
      for (; this.#done < this.#rows.length; this.#done++) {
        const row = this.#rows[this.#done]?.();
        if (row && !plan.writeAgain(row)) return this.#done > first ? 'part' : 'nothing';
      }
    } catch (error) {
      this.#failure = { error };
    }
    return 'whole';
  }

  committed(): void {
    if (this.#failure) this.#reject(this.#failure.error);
    else if (this.#done === this.#rows.length) this.#resolve();
  }

  failed(error: unknown): void {
    this.#reject(error);
  }
}
