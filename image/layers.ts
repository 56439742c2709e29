import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { withoutSymbols } from './elf.ts';
import { ETC, LIBRARIES, PACKAGES, USER, type Platform } from './recipe.ts';
import type { Entry } from './tar.ts';

/** The runtime with its libraries, and the files that any process looks for. `debian`: the unpacked packages. */
export function systemLayer(debian: string, runtimePackage: string, platform: Platform): Entry[] {
  const library = (name: string): Buffer => {
    const path = ['usr/lib', 'lib', 'usr/lib64', 'lib64']
      .flatMap((folder) => [join(debian, folder, platform.triplet, name), join(debian, folder, name)])
      .find((one) => existsSync(one));
    if (path === undefined) throw new Error(`${name} is in none of ${PACKAGES.join(', ')}`);
    return readFileSync(realpathSync(path));
  };
  const loader = platform.loader.split('/').at(-1) ?? '';
  return withFolders([
    program('bin/node', withoutSymbols(readFileSync(join(runtimePackage, 'bin/node')))),
    program(platform.loader, library(loader)),
    ...LIBRARIES.map((name) => file(`lib/${platform.triplet}/${name}`, library(name))),
    ...Object.entries(ETC).map(([path, text]) => file(path, Buffer.from(text))),
    ...PACKAGES.flatMap((name) => copyright(debian, name)),
    file('usr/share/doc/node/LICENSE', readFileSync(join(runtimePackage, 'LICENSE'))),
    { kind: 'folder', path: 'tmp', mode: 0o1777 },
    // A volume takes the owner of the folder it is put on; what is kept there is nobody else's business.
    { kind: 'folder', path: '.swarm', mode: 0o700, owner: USER },
  ]);
}

function copyright(debian: string, name: string): Entry[] {
  const path = `usr/share/doc/${name}/copyright`;
  return existsSync(join(debian, path)) ? [file(path, readFileSync(join(debian, path)))] : [];
}

/** The command: `/swarm`, and /app with its JavaScript (`dist`), the packages it runs on, and who wrote it. */
export function commandLayer(root: string, dist: string, buildFacts: object): Entry[] {
  const entry = readFileSync(join(root, 'image/swarm'));
  return withFolders([
    program('swarm', entry),
    file('app/LICENSE', readFileSync(join(root, 'LICENSE'))),
    file('app/package.json', readFileSync(join(root, 'package.json'))),
    file('app/dist/build.json', Buffer.from(`${JSON.stringify(buildFacts)}\n`)),
    ...filesBelow(dist).map((path) => file(`app/dist/${path}`, readFileSync(join(dist, path)))),
    ...productionPackages(root).flatMap((at) =>
      filesBelow(join(root, at))
        .filter(isNeeded)
        .map((path) => file(`app/${at}/${path}`, readFileSync(join(root, at, path)))),
    ),
  ]);
}

interface Lock {
  readonly packages: Readonly<Record<string, { dev?: boolean; devOptional?: boolean; optional?: boolean }>>;
}

/** Where the packages are that the command needs at work. The runtime is in the other layer. */
function productionPackages(root: string): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  return Object.entries(packages)
    .filter(
      ([path, { dev, devOptional }]) =>
        path !== '' && !dev && !devOptional && !/\/node-linux-\w+$/.test(path),
    )
    .filter(([path, { optional }]) => !optional || existsSync(join(root, path)))
    .map(([path]) => path);
}

const TOP_FOLDERS_LEFT_OUT =
  /^(test|tests|doc|docs|benchmark|benchmarks|example|examples|types|scripts|node_modules)\//;

/** Of a package's files: what Node can load, and its licence. */
function isNeeded(path: string): boolean {
  if (TOP_FOLDERS_LEFT_OUT.test(path) || path.includes('/node_modules/')) return false;
  return /\.(js|cjs|mjs|json|wasm|node|proto)$/.test(path) || /^(licen[cs]e|notice)/i.test(path);
}

/** Paths of the files below a folder, sorted. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name).slice(folder.length + 1))
    .sort();
}

function file(path: string, bytes: Buffer): Entry {
  return { kind: 'bytes', path, bytes, mode: 0o644 };
}

function program(path: string, bytes: Buffer): Entry {
  return { kind: 'bytes', path, bytes, mode: 0o755 };
}

/** Sorted by path, each with the folders it is in. */
function withFolders(entries: readonly Entry[]): Entry[] {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries)
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder))
      if (!byPath.has(folder)) byPath.set(folder, { kind: 'folder', path: folder, mode: 0o755 });
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
