import type { History } from './types.ts';

/** Writes that were answered with an error and without a word of why. */
export function wordless({ writes }: History): string[] {
  return writes
    .filter(({ said }) => said?.trim() === '')
    .map(
      ({ manager, kind, table, mark }) =>
        `manager ${manager} refused to ${kind} a ${table} (${mark}) without words`,
    );
}
