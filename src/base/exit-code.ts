import { SwarmError } from './errors.ts';

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;

/** What a failed command ends with: 2 where the command line is wrong, else 1. */
export function exitCodeOf(error: unknown): number {
  return error instanceof SwarmError && error.code === 'invalid' ? EXIT_USAGE : EXIT_FAILED;
}
