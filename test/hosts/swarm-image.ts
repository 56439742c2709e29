import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGES, SUITE } from '../../image/recipe.ts';
import { COMMIT } from '../../src/base/version.ts';
import { cached, cacheFolder } from './cache.ts';
import { unpackedPackages } from './debian.ts';
import { run } from './shell.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What the image is made of: a change in any of it makes another image. */
const ingredients = ['src', 'image', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.build.json'];
/** Images of earlier states of the checkout are removed when they are this old: another run may be using them. */
const KEPT_MS = 3_600_000;

/** The archive of `swarm:latest` as `npm run image` makes it from this checkout; built where it is not there yet. */
export async function swarmImageArchive(): Promise<string> {
  const libraries = readFileSync(join(await unpackedPackages(SUITE, PACKAGES), 'versions'), 'utf8');
  const machine = [COMMIT, process.arch, process.version, process.env['SOURCE_DATE_EPOCH'], libraries];
  const hash = createHash('sha256').update(machine.join(' '));
  for (const path of ingredients.flatMap(filesOf)) hash.update(path).update(readFileSync(join(root, path)));
  const name = `swarm-image-${hash.digest('hex').slice(0, 16)}`;
  const folder = await cached(name, async (made) => {
    removeOld();
    const args = [join(root, 'image/build.ts'), '--no-load', '--output', join(made, 'swarm.tar')];
    await run(process.execPath, args, { cwd: root });
  });
  return join(folder, 'swarm.tar');
}

function filesOf(path: string): string[] {
  if (statSync(join(root, path)).isFile()) return [path];
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile() && !one.name.endsWith('.test.ts'))
    .map((one) => join(one.parentPath, one.name).slice(root.length))
    .sort();
}

function removeOld(): void {
  for (const name of readdirSync(cacheFolder()).filter((one) => one.startsWith('swarm-image-'))) {
    const path = join(cacheFolder(), name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > KEPT_MS) rmSync(path, { recursive: true, force: true });
  }
}
