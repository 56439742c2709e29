import type { Task } from './task.ts';

/**
 * The slot as Docker's clients and agents number it; 0 also where there is none. SwarmKit begins with 0 in jobs and with 1
 * elsewhere, and Docker's CLI counts on both; here every slot begins with 1.
 */
export function slotNumber({ slot, jobIteration }: Pick<Task, 'slot' | 'jobIteration'>): number {
  return jobIteration === undefined || slot === 0 ? slot : slot - 1;
}
