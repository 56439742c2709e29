import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Both `src/base` of a checkout and `dist/base` of a package lie two folders below the root. */
const root = fileURLToPath(new URL('../../', import.meta.url));

/** The version of the package. */
export const VERSION: string = textsIn('package.json').version ?? 'unknown';

/** What the build of a package wrote down; a checkout has none. */
const build = textsIn('dist/build.json');

/** The commit this runs from, seven digits: the checkout's, else the package's, else `release`. */
export const COMMIT: string = (checkoutCommit(root) ?? build.commit ?? 'release').slice(0, 7);

/** When it was built (RFC 3339); of a checkout, when its package.json was written. */
export const BUILD_TIME: string = build.time ?? statSync(join(root, 'package.json')).mtime.toISOString();

/** Reads git's own files, because a version must not need git. Looks at this folder only, not at its parents. */
export function checkoutCommit(folder: string): string | undefined {
  const gitDir = gitDirOf(folder);
  const head = readOr(join(gitDir, 'HEAD'))?.trim();
  if (head === undefined) return undefined;
  const ref = /^ref: (.+)$/.exec(head)?.[1];
  if (ref === undefined) return asCommit(head);
  // In a worktree the branches are kept with the main checkout.
  const common = resolve(gitDir, readOr(join(gitDir, 'commondir'))?.trim() ?? '.');
  const loose = readOr(join(common, ref))?.trim();
  const packed = readOr(join(common, 'packed-refs'))
    ?.split('\n')
    .find((line) => line.endsWith(` ${ref}`));
  return asCommit(loose ?? packed?.split(' ')[0]);
}

function gitDirOf(folder: string): string {
  const dotGit = join(folder, '.git');
  const pointer = /^gitdir: (.+)$/m.exec(readOr(dotGit) ?? '')?.[1];
  return pointer === undefined ? dotGit : resolve(folder, pointer.trim());
}

function asCommit(text: string | undefined): string | undefined {
  return text !== undefined && /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text) ? text : undefined;
}

function readOr(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The texts of a JSON file that the project itself writes; none where there is no such file. */
function textsIn(path: string): Partial<Record<string, string>> {
  return JSON.parse(readOr(join(root, path)) ?? '{}') as Partial<Record<string, string>>;
}
