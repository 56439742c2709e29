import type { FlagSpec } from './flags.ts';
import { tabColumns } from './tab-columns.ts';

/** An option as a help page lists it, its columns cut by tabs. */
export function flagLine(flag: FlagSpec): string {
  const names = flag.names.map(dashed);
  const first = dashed(flag.names[0]);
  const value =
    flag.kind === 'list'
      ? ` [${first} option ${first} option]`
      : flag.default !== undefined
        ? ` "${flag.default}"`
        : '';
  const variable = flag.env === undefined ? '' : ` [$${flag.env}]`;
  return `${names.join(', ')}${value}\t${flag.usage}${variable}`;
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

/** Lines as a page: cells between tabs are lined up. */
export function page(lines: readonly string[]): string {
  return `${tabColumns(lines).join('\n')}\n`;
}
