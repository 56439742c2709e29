import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { run } from './shell.ts';

export type Suite = 'bullseye' | 'bookworm' | 'trixie' | 'sid';
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Fetches packages of a Debian suite and unpacks them into one folder, without installing anything: apt works on
 * a list file and state of its own, so the machine's configuration stays as it is. Gives the folder (a tree with
 * usr/bin and so on), which also holds `versions`, one "package version" a line.
 */
export async function unpackedPackages(suite: Suite, packages: readonly string[]): Promise<string> {
  const name = `debian-${suite}-${process.arch}-${packages.join('+')}`;
  return cached(name, async (folder) => {
    if (!existsSync(keyring))
      throw new Error(`${keyring} is missing: apt-get install debian-archive-keyring`);
    const apt = join(folder, 'apt');
    for (const one of ['lists/partial', 'cache/archives/partial', 'packages'])
      mkdirSync(join(apt, one), { recursive: true });
    writeFileSync(join(apt, 'list'), `deb [signed-by=${keyring}] ${debianMirror()} ${suite} main\n`);
    const settings = {
      'Dir::Etc::sourcelist': join(apt, 'list'),
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::Etc::preferencesparts': '/dev/null',
      'Dir::State::lists': join(apt, 'lists'),
      'Dir::Cache': join(apt, 'cache'),
      'Acquire::Check-Valid-Until': 'false', // a mirror may be frozen; what it has is signed all the same
      'Acquire::Languages': 'none',
      'Acquire::Retries': '3',
      'APT::Sandbox::User': 'root',
    };
    const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
    const cwd = join(apt, 'packages');
    await run('apt-get', ['-q', ...options, 'update'], { cwd });
    await run('apt-get', ['-q', ...options, 'download', ...packages], { cwd });
    const files = readdirSync(cwd);
    for (const file of files) await run('dpkg-deb', ['-x', join(cwd, file), folder]);
    const versions = files.map((file) => decodeURIComponent(file).split('_').slice(0, 2).join(' '));
    writeFileSync(join(folder, 'versions'), versions.join('\n') + '\n');
    rmSync(apt, { recursive: true });
  });
}

/** The Debian mirror that this machine uses, so that a proxy or a local mirror is honoured. */
function debianMirror(): string {
  const folder = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder).map((f) => join(folder, f)) : []),
  ];
  for (const file of files) {
    if (!existsSync(file)) continue;
    const uri = /^(?:deb\s+(?:\[[^\]]*\]\s+)?|URIs:\s*)(https?:\/\/\S+\/debian)\/?(?=\s|$)/m.exec(
      readFileSync(file, 'utf8'),
    );
    if (uri?.[1] !== undefined) return uri[1];
  }
  return 'http://deb.debian.org/debian';
}
