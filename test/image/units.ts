import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpackedPackages } from '../hosts/debian.ts';

/** The units, drop-ins and variable files of the project. */
export const packaging = fileURLToPath(new URL('../../packaging/systemd', import.meta.url));

/** systemd-analyze, with the libraries that not every Debian or Ubuntu has in its base. */
export const SYSTEMD_PACKAGES = [
  ...['systemd', 'libsystemd-shared', 'libapparmor1', 'libcap2', 'libgcrypt20', 'libgpg-error0'],
  ...['libip4tc2', 'libkmod2', 'libseccomp2'],
];

/** Debian's systemd, unpacked: its folder, and the environment in which its programs find their libraries. */
export async function systemd(): Promise<{ folder: string; env: Record<string, string> }> {
  const folder = await unpackedPackages('bookworm', SYSTEMD_PACKAGES);
  const libraries = ['lib', 'usr/lib']
    .flatMap((top) => readdirSync(join(folder, top)).map((name) => join(folder, top, name)))
    .filter((path) => path.endsWith('-linux-gnu'))
    .flatMap((path) => [path, join(path, 'systemd')])
    .filter((path) => existsSync(path));
  return { folder, env: { LD_LIBRARY_PATH: libraries.join(':') } };
}

/** The command line that a unit ends up with: its last ExecStart, and the variables of the given files in it. */
export function commandLine(unitFiles: readonly string[], variableFiles: readonly string[]): string[] {
  const units = unitFiles.map((name) => readUnit(join(packaging, name)));
  const start = units.flatMap((unit) => unit.get('ExecStart') ?? []).at(-1) ?? '';
  const variables = new Map([...settings(unitFiles), ...variableFiles.flatMap(assignments)].map(cut));
  return start
    .split(/\s+/)
    .flatMap((word) => {
      const whole = /^\$(\w+)$/.exec(word)?.[1];
      if (whole !== undefined) return variables.get(whole)?.split(/\s+/) ?? [];
      return [word.replace(/\$\{(\w+)\}/g, (_, name: string) => variables.get(name) ?? '')];
    })
    .filter((word) => word !== '');
}

/** The variables that units set themselves. */
export function settings(unitFiles: readonly string[]): string[] {
  return unitFiles
    .flatMap((name) => readUnit(join(packaging, name)).get('Environment') ?? [])
    .map((text) => text.replace(/^"(.*)"$/, '$1'));
}

/** The variables of a file of `default/`, without those that are commented out. */
export function assignments(name: string): string[] {
  const text = readFileSync(join(packaging, 'default', name), 'utf8');
  return text.split('\n').filter((line) => /^\w+=/.test(line));
}

function readUnit(path: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  const text = readFileSync(path, 'utf8')
    .replace(/^#.*\n/gm, '')
    .replaceAll('\\\n', '');
  for (const line of text.split('\n').filter((one) => /^\w+=/.test(one))) {
    const [key, value] = cut(line);
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return values;
}

function cut(line: string): [string, string] {
  const at = line.indexOf('=');
  return [line.slice(0, at), line.slice(at + 1)];
}
