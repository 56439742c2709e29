import { messageOf, SwarmError } from '../base/errors.ts';
import type { Kernel } from './kernel/kernel.ts';
import type { Frame, Unit } from './rules/types.ts';

export interface RefusedUnit {
  readonly unit: Unit;
  /** In nft's words. */
  readonly reason: string;
}

/** Runs of nft, at most, before the search is given up. */
const MOST_TRIALS = 40;

/**
 * Which units the kernel does not take (a protocol that it lacks, say), so that one does not keep the others
 * out. They are tried in a namespace of nobody's; where the frame itself is refused, or too much is, none is
 * blamed.
 */
export async function findRefused(
  kernel: Kernel,
  frame: Frame,
  units: readonly Unit[],
): Promise<readonly RefusedUnit[]> {
  let trials = 0;
  const refused: RefusedUnit[] = [];
  const search = async (some: readonly Unit[]): Promise<void> => {
    if (++trials > MOST_TRIALS) return;
    try {
      return await kernel.tryRules([...frame.nft, ...some.flatMap(({ add }) => add)]);
    } catch (error) {
      if (isLate(error)) trials = Infinity;
      const [only] = some;
      if (only && some.length === 1) refused.push({ unit: only, reason: messageOf(error) });
      if (some.length < 2) return;
    }
    const half = some.length >> 1;
    await search(some.slice(0, half));
    await search(some.slice(half));
  };
  try {
    await kernel.tryRules(frame.nft);
  } catch {
    return [];
  }
  await search(units);
  return trials > MOST_TRIALS ? [] : refused;
}

/** It says nothing of the rules, and is not to be seen many times. */
export function isLate(error: unknown): boolean {
  return error instanceof SwarmError && error.code === 'timeout';
}
