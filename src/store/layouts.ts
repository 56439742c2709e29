import type { RowWrite } from './types.ts';

/** How rows differ between a layout of the state and the next one. */
export interface LayoutStep {
  /**
   * A row of the older layout as the newer one has it. One that is so already comes back as it is: a state that was raised has rows
   * of both until each is written again.
   */
  readonly raise: <R extends RowWrite>(row: R) => R;
  /** A row of the newer layout as those read it who know the older one alone. */
  readonly lower: <R extends RowWrite>(row: R) => R;
}

/**
 * The layouts of the state that a swarmd reads and writes: 1, and one more with each step. Steps that were released are never changed.
 * What a state has depends on all of its managers, so each writes the layout that the state has, whatever it knows itself.
 */
export class Layouts {
  readonly #steps: readonly LayoutStep[];

  constructor(steps: readonly LayoutStep[]) {
    this.#steps = steps;
  }

  get newest(): number {
    return this.#steps.length + 1;
  }

  /** Rows of any older layout, or of several, as the newest has them. */
  *raised<R extends RowWrite>(rows: Iterable<R>): Generator<R> {
    for (const row of rows) yield this.#steps.reduce((one, { raise }) => raise(one), row);
  }

  /** Rows of the newest layout as an older one has them. */
  lowered(rows: readonly RowWrite[], layout: number): readonly RowWrite[] {
    const undone = this.#steps.slice(layout - 1).toReversed();
    if (undone.length === 0) return rows;
    return rows.map((row) => undone.reduce((one, { lower }) => lower(one), row));
  }
}

/** Those of this swarmd. */
export const LAYOUTS = new Layouts([]);

/** Why a state of a layout that is not known is left alone, and what to do; `since` is the version that raised it, where that is known. */
export function tooNew(layout: number, since: string, { newest }: Layouts): string {
  const raised = since === '' ? '' : `, since version ${since}`;
  return `it was written by a newer swarmd (layout ${layout}${raised}; this one knows ${newest}): upgrade swarmd on this host`;
}
