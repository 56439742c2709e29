import { flagLine, page } from '../base/flag-help.ts';
import { FLAGS } from './flags.ts';

/** The page of `swarmd --help`. */
export function helpPage(version: string): string {
  return page([
    'Usage: swarmd [OPTIONS]',
    '       swarmd [OPTIONS] backup FILE',
    '       swarmd [OPTIONS] restore FILE',
    '',
    "A manager of Docker's swarm mode, beside the Docker Engine of its host",
    '',
    `Version: ${version}`,
    '',
    'Options:',
    ...FLAGS.map((flag) => `  ${flagLine(flag)}`),
    '',
    'Commands:',
    '  backup\tCopy the state of the swarm to a file, also while swarmd runs',
    '  restore\tPut the state of such a file in place; swarmd must not run',
  ]);
}
